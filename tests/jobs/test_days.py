"""Stretches of days."""

from __future__ import annotations

from datetime import date

import pytest

from jobs.days import Days
from jobs.errors import ContractError


def test_days_include_both_ends_and_know_their_instants() -> None:
    days = Days(date(2026, 2, 27), date(2026, 3, 1))
    assert [str(day) for day in days] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert (days.start.isoformat(), days.end.isoformat()) == ("2026-02-27T00:00:00+00:00", "2026-03-02T00:00:00+00:00")


def test_where_a_stretch_begins_does_not_depend_on_the_days_asked_for() -> None:
    early, late = Days(date(2026, 1, 3), date(2026, 1, 20)), Days(date(2026, 1, 9), date(2026, 1, 20))
    assert list(late.stretches(7)) == list(early.stretches(7))[-len(list(late.stretches(7))) :]
    assert all(len(list(stretch)) == 7 for stretch in early.stretches(7))
    assert {day for stretch in early.stretches(7) for day in stretch} >= set(early)


def test_days_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ContractError, match="end before they begin"):
        Days(date(2026, 1, 2), date(2026, 1, 1))
