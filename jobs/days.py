"""Stretches of whole days in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from jobs.errors import ContractError

DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """Event days, both ends included; raises ContractError when they end before they begin."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ContractError(f"the days {self} end before they begin", "give --from the earlier day")

    def __str__(self) -> str:
        return f"{self.first} .. {self.last}"

    def __iter__(self) -> Iterator[date]:
        return (self.first + n * DAY for n in range((self.last - self.first).days + 1))

    @property
    def start(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first instant after."""
        return datetime.combine(self.last + DAY, time(), UTC)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def stretches(self, n_days: int) -> Iterator[Days]:
        """Whole stretches of ``n_days`` that cover these days; where one begins does not depend on these days."""
        first = date.fromordinal(self.first.toordinal() // n_days * n_days)
        while first <= self.last:
            yield Days(first, first + (n_days - 1) * DAY)
            first += n_days * DAY
