"""The payments the bench is fed with."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.transaction import COORDINATES
from jobs.simulate.dirt import DUPLICATE
from jobs.simulate.payment import HOUR_MS
from tests.bench.traffic import SPAN_MS, Traffic, last_hour_ms, n_refused

END_MS = 1_800_000_000_000
TRAFFIC = Traffic(n_events=20_000, n_users=1_000, end_ms=END_MS)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return TRAFFIC.rows()


def test_it_has_exactly_so_many_events_in_order_of_arrival_within_two_days(rows: np.ndarray) -> None:
    arrived = rows["record_ms"]
    assert len(rows) == 20_000
    assert (np.diff(arrived) >= 0).all()
    assert END_MS - SPAN_MS <= arrived[0] < arrived[-1] <= END_MS
    assert arrived[-1] - arrived[0] > SPAN_MS - 4 * HOUR_MS


def test_one_in_a_thousand_is_refused_and_one_in_a_hundred_comes_out_of_order(rows: np.ndarray) -> None:
    assert n_refused(rows) == pytest.approx(20, abs=2)
    out_of_order = [(np.diff(rows["time_ms"][rows["user"] == user]) < 0).sum() for user in np.unique(rows["user"])]
    assert sum(out_of_order) == pytest.approx(200, abs=40)


def test_each_duplicate_has_its_original_before_it(rows: np.ndarray) -> None:
    places = np.flatnonzero(rows["dirt"] == DUPLICATE)
    assert len(places) > 0
    assert all(rows["serial"][place] in rows["serial"][:place] for place in places)


def test_the_same_traffic_is_the_same_bytes(rows: np.ndarray) -> None:
    first, again = (next(TRAFFIC.messages(chosen[:100])) for chosen in (rows, TRAFFIC.rows()))
    assert first.value == again.value


def test_a_message_is_of_ordinary_length_and_misses_no_place_or_payee(rows: np.ndarray) -> None:
    values = next(TRAFFIC.messages(rows)).value
    assert np.mean([len(value) for value in values]) == pytest.approx(420, abs=20)
    assert {*COORDINATES, "ip", "counterparty_name"} <= msgspec.json.decode(values[0]).keys()


def test_the_last_full_hour_is_not_in_the_future() -> None:
    assert last_hour_ms(7 * HOUR_MS + 1) == 7 * HOUR_MS
