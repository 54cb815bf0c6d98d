"""Timestamps, held against the standard library's own reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import MAX_EPOCH_MS, NO_OFFSET, parse_rfc3339, read_instants

NOON_MS = 1_767_355_200_000  # 2026-01-02T12:00:00Z

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(1970, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - hypothesis wants bounds without a zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES)


def read(text: str | None) -> tuple[int, int] | None:
    """``(epoch_ms, utc_offset_min)``, or None where it cannot be read."""
    instants = parse_rfc3339(pa.array([text], pa.string()))
    return (int(instants.epoch_ms[0]), int(instants.utc_offset_min[0])) if instants.ok[0] else None


@pytest.mark.parametrize(("text", "epoch_ms", "offset_min"), [
    ("1970-01-01T00:00:00Z", 0, 0),
    ("2026-01-02T12:00:00Z", NOON_MS, 0),
    ("2026-01-02t12:00:00z", NOON_MS, 0),
    ("2026-01-02 12:00:00Z", NOON_MS, 0),
    ("2026-01-02T12:00:00.5Z", NOON_MS + 500, 0),
    ("2026-01-02T12:00:00.05Z", NOON_MS + 50, 0),
    ("2026-01-02T12:00:00.123456789Z", NOON_MS + 123, 0),
    ("2026-01-02T12:00:00.9999Z", NOON_MS + 999, 0),
    ("2026-01-02T12:00:00+00:00", NOON_MS, 0),
    ("2026-01-02T12:00:00-00:00", NOON_MS, 0),
    ("2026-01-02T17:30:00+05:30", NOON_MS, 330),
    ("2026-01-02T17:30:00.250+05:30", NOON_MS + 250, 330),
    ("2026-01-02T08:30:00-03:30", NOON_MS, -210),
    ("2026-01-03T11:59:00+23:59", NOON_MS, 1439),
    ("2000-02-29T00:00:00Z", 951_782_400_000, 0),
    ("2024-02-29T00:00:00Z", 1_709_164_800_000, 0),
    ("9999-12-31T23:59:59.999Z", MAX_EPOCH_MS, 0),
])
def test_a_timestamp_gives_its_instant_and_the_clock_it_was_written_by(
    text: str, epoch_ms: int, offset_min: int
) -> None:
    assert read(text) == (epoch_ms, offset_min)


@pytest.mark.parametrize("text", [
    None, "", "now", "2026-01-02", "12:00:00Z",
    "2026-01-02T12:00:00", "2026-01-02T12:00Z", "2026-01-02T12:00:00 Z", "2026-01-02T12:00:00UTC",
    "2026-13-02T12:00:00Z", "2026-00-02T12:00:00Z", "2026-01-32T12:00:00Z", "2026-01-00T12:00:00Z",
    "2026-04-31T12:00:00Z", "2023-02-29T12:00:00Z", "2100-02-29T12:00:00Z", "2026-02-30T12:00:00Z",
    "2026-01-02T24:00:00Z", "2026-01-02T12:60:00Z", "2026-01-02T12:00:60Z",
    "2026-01-02T12:00:00.Z", "2026-01-02T12:00:00,5Z", "2026-01-02T12:00:00.1234567890Z",
    "2026-01-02T12:00:00+24:00", "2026-01-02T12:00:00+05:60", "2026-01-02T12:00:00+0530", "2026-01-02T12:00:00+05",
    " 2026-01-02T12:00:00Z", "2026-01-02T12:00:00Z ", "2026-01-02T12:00:00Z\n", "2026-01-02T12:00:00Z\x00",
    "26-01-02T12:00:00Z", "12026-01-02T12:00:00Z", "-2026-01-02T12:00:00Z", "2026-1-2T12:00:00Z",
    "２０２６-01-02T12:00:00Z", "2026-01-02T12:00:00\N{MINUS SIGN}03:30", "1767355200000",
    "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01",
])
def test_what_is_not_an_rfc_3339_time_between_1970_and_9999_cannot_be_read(text: str | None) -> None:
    assert read(text) is None
    assert not read_instants((text,))[0].ok[0]


@settings(max_examples=200, deadline=None)
@given(moment=MOMENTS, digits=st.integers(0, 6))
def test_every_moment_is_read_as_the_standard_library_reads_it(moment: datetime, digits: int) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    fraction = f".{moment.microsecond:06}"[: digits + 1] if digits else ""
    minutes = int(moment.utcoffset() / timedelta(minutes=1))  # type: ignore[operator]
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}{fraction}{zone}"
    since_epoch = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    assert read(text) == (since_epoch // timedelta(milliseconds=1), minutes)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.one_of(
    st.none(), st.text(max_size=40), st.sampled_from(["2026-01-02T12:00:00Z", "2026-01-02T17:30:00.25+05:30"])
)))
def test_a_row_is_read_alike_alone_and_in_company(texts: list[str | None]) -> None:
    together, wrong = read_instants(tuple(texts))
    assert not wrong.any()
    for at, text in enumerate(texts):
        alone = read_instants((text,))[0]
        assert (alone.ok[0], alone.epoch_ms[0]) == (together.ok[at], together.epoch_ms[at])


@pytest.mark.parametrize(("value", "epoch_ms"), [
    (0, 0), (NOON_MS, NOON_MS), (float(NOON_MS), NOON_MS), (-0.0, 0), (MAX_EPOCH_MS, MAX_EPOCH_MS),
])
def test_a_number_is_epoch_milliseconds_on_no_particular_clock(value: float, epoch_ms: int) -> None:
    instants, wrong = read_instants((value, None))
    assert (instants.ok[0], instants.epoch_ms[0], instants.utc_offset_min[0]) == (True, epoch_ms, NO_OFFSET)
    assert not wrong.any()


@pytest.mark.parametrize("value", [-1, 0.5, MAX_EPOCH_MS + 1, 1e300, float("inf"), 10**400])
def test_a_number_that_is_no_instant_is_unreadable_but_of_the_right_type(value: float) -> None:
    instants, wrong = read_instants((value,))
    assert (instants.ok[0], wrong[0]) == (False, False)


@pytest.mark.parametrize("value", [True, False, [], {}, [NOON_MS]])
def test_anything_else_is_of_the_wrong_type(value: Any) -> None:
    instants, wrong = read_instants((value, "2026-01-02T12:00:00Z", NOON_MS, None))
    assert instants.ok.tolist() == [False, True, True, False]
    assert wrong.tolist() == [True, False, False, False]


def test_no_rows_are_no_instants() -> None:
    assert len(read_instants(())[0].epoch_ms) == 0
