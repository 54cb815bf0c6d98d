"""The payer's clock, held against the standard library's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import columns
from features.clock import MAX_EPOCH_MS, NO_OFFSET


def on_clock(event_ms: int, offset_min: int) -> dict[str, float]:
    found = columns(np.array([event_ms]), np.array([offset_min], np.int16))
    return {name: float(values[0]) for name, values in found.items()}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(("text", "offset_min", "hour", "weekday"), [
    ("1970-01-01T00:00:00Z", 0, 0, 3),  # a Thursday
    ("1970-01-01T00:00:00Z", -1, 23, 2),
    ("2026-01-02T23:59:59Z", 0, 23, 4),  # a Friday
    ("2026-01-02T23:59:59Z", 1, 0, 5),
    ("2026-01-05T00:00:00Z", 0, 0, 0),
    ("2026-01-05T00:00:00Z", -30, 23, 6),
    ("2026-01-02T18:29:00Z", 330, 23, 4),
    ("2026-01-02T18:30:00Z", 330, 0, 5),
])
def test_hour_and_weekday_are_read_from_the_payers_clock(
    text: str, offset_min: int, hour: int, weekday: int
) -> None:
    found = on_clock(ms(text), offset_min)
    assert (found["hour"], found["weekday"]) == (hour, weekday)


def test_a_time_without_a_zone_is_read_in_utc() -> None:
    assert on_clock(ms("2026-01-02T12:00:00Z"), NO_OFFSET) == on_clock(ms("2026-01-02T12:00:00Z"), 0)


@pytest.mark.parametrize(("time", "night"), [
    ("21:59:59.999", 0), ("22:00:00", 1), ("00:00:00", 1), ("05:59:59.999", 1), ("06:00:00", 0), ("12:00:00", 0),
])
def test_the_night_is_from_22_h_up_to_6_h(time: str, night: int) -> None:
    assert on_clock(ms(f"2026-01-02T{time}Z"), 0)["is_night"] == night


@pytest.mark.parametrize(("time", "weekend"), [
    ("2026-01-02T23:59:59.999Z", 0), ("2026-01-03T00:00:00Z", 1), ("2026-01-04T23:59:59.999Z", 1),
    ("2026-01-05T00:00:00Z", 0),
])
def test_the_weekend_is_saturday_and_sunday(time: str, weekend: int) -> None:
    assert on_clock(ms(time), 0)["is_weekend"] == weekend


@settings(max_examples=200, deadline=None)
@given(event_ms=st.integers(86_400_000, MAX_EPOCH_MS - 86_400_000), offset_min=st.integers(-1439, 1439))
def test_every_moment_is_where_the_standard_library_puts_it(event_ms: int, offset_min: int) -> None:
    zone = timezone(timedelta(minutes=offset_min))
    there = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=event_ms)).astimezone(zone)
    found = on_clock(event_ms, offset_min)
    assert (found["hour"], found["weekday"]) == (there.hour, there.weekday())
