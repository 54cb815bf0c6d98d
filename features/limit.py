"""The limit on one user: of his payments of one UTC hour of event time, the first N arrivals are admitted.

    arrival        1   2   3  ...  N-1    N    N+1  N+2
                   └── admitted ────┘     │     └── refused: user_too_active
                                          └── admitted too, and an alert whatever the model says

Every valid payment counts, repeats included. A refused one is seen by nobody, so the answer for any payment is the same
whether the refused are still in its history or were left out before: ``Crowd`` leaves out what it can be sure of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.event import Heads
from features.timeline import Ints, changes

HOUR_MS: Final = 3_600_000
NO_LIMIT: Final = 2**62
MAX_REMEMBERED: Final = 1_000  # full hours; each costs its user at least the limit in payments, so there are few

Bools = NDArray[np.bool_]


class FullHour(NamedTuple):
    """An hour (number of the UTC hour since 1970) in which a user may pay no more, and its last admitted arrival."""

    user_id: str
    hour: int
    last_arrival: int


def remembered(hours: Iterable[FullHour], max_age_s: int) -> list[FullHour]:
    """The hours in which a payment may still come, when none is older than this: by the newest, and not too many."""
    ordered = sorted({(hour.user_id, hour.hour): hour for hour in hours}.values(), key=lambda hour: -hour.hour)
    return [hour for hour in ordered if ordered[0].hour - hour.hour <= max_age_s // 3600 + 1][:MAX_REMEMBERED]


class Admission(NamedTuple):
    """``over``: a mask of the refused; ``last``: rows of the N-th arrival of each full hour that has new arrivals."""

    over: Bools
    last: Ints


def whole_hours_ms(duration_ms: int) -> int:
    """The duration, rounded up."""
    return -(-duration_ms // HOUR_MS) * HOUR_MS


def admit(user: Ints, heads: Heads, new: Bools, max_per_hour: int) -> Admission:
    """Apply the limit to events in order of (user, event time); hours must be there whole."""
    hour = heads["event_ms"] // HOUR_MS
    number = np.cumsum(changes(user, hour)) - 1
    crowded = np.flatnonzero((np.bincount(number) >= max_per_hour)[number])
    over, is_last = np.zeros((2, len(user)), bool)
    by_arrival = crowded[np.lexsort((heads["arrival"][crowded], number[crowded]))]
    rank = _rank(number[by_arrival])
    over[by_arrival] = rank > max_per_hour
    is_last[by_arrival] = rank == max_per_hour
    busy = np.zeros(len(user), bool)
    busy[number[new & (over | is_last)]] = True
    return Admission(over, np.flatnonzero(is_last & busy[number]))


def _rank(group: Ints) -> Ints:
    """Place of each row in its group, from 1; the rows of a group are neighbours."""
    first = np.flatnonzero(changes(group))
    return np.arange(len(group)) - np.repeat(first, np.diff(np.append(first, len(group)))) + 1


class Crowd:
    """Finds events that are over the limit for certain, from nothing but the events that pass by in one task.

    It never finds one that ``admit`` would not. It misses some: a user is counted anew in every batch of records.
    """

    def __init__(self, max_per_hour: int, full: Iterable[FullHour] = ()) -> None:
        self._limit = max_per_hour
        self._full = {(hour.user_id, hour.hour): hour.last_arrival for hour in full}
        self._users = {user_id for user_id, _ in self._full}

    def over(self, user_id: pa.StringArray, heads: Heads, valid: Bools) -> Bools:
        """A mask of the ``valid`` events that are over the limit; the others neither count nor are judged."""
        coded = user_id.dictionary_encode()
        code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        over = np.zeros(len(code), bool)
        for number in self._suspects(coded.dictionary, np.bincount(code[valid], minlength=len(coded.dictionary))):
            rows = np.flatnonzero(valid & (code == number))
            over[rows] = self._over(coded.dictionary[number].as_py(), heads[rows])
        return over

    def _suspects(self, users: pa.StringArray, counts: Ints) -> list[int]:
        known = {at for at, user_id in enumerate(users.to_pylist()) if user_id in self._users} if self._users else set()
        return sorted(known | set(np.flatnonzero(counts >= self._limit).tolist()))

    def _over(self, user_id: str, heads: Heads) -> Bools:
        over, hours, arrival = np.zeros(len(heads), bool), heads["event_ms"] // HOUR_MS, heads["arrival"]
        for hour in np.unique(hours).tolist():
            rows = np.flatnonzero(hours == hour)
            last = self._full.get((user_id, hour), NO_LIMIT)
            if len(rows) >= self._limit:
                last = min(last, int(np.partition(arrival[rows], self._limit - 1)[self._limit - 1]))
                self._full[user_id, hour] = last
                self._users.add(user_id)
            over[rows] = arrival[rows] > last
        return over
