from __future__ import annotations

import numpy as np
import pytest

from jobs.simulate.categories import ATM, CONTACTLESS, ECOM, POS
from jobs.simulate.cities import CITIES
from jobs.simulate.journeys import whereabouts
from jobs.simulate.payment import DAY_MS, HOUR_MS, NONE, in_order, local_hour
from jobs.simulate.traffic import CONTACTLESS_LIMIT_USD, history, live
from jobs.simulate.world import World
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, a_day, payment


def test_the_same_days_hold_the_same_payments_whichever_day_came_first() -> None:
    both_days = a_day(n_days=2)
    (_, second_day), = history(SMALL, MONDAY_MS + DAY_MS, MONDAY_MS + 2 * DAY_MS)
    assert np.array_equal(both_days[both_days["time_ms"] >= MONDAY_MS + DAY_MS], second_day)


def test_a_history_keeps_to_its_time_and_is_in_order() -> None:
    start_ms, end_ms = MONDAY_MS + 5 * HOUR_MS, MONDAY_MS + DAY_MS + 7 * HOUR_MS
    rows = np.concatenate([rows for _, rows in history(SMALL, start_ms, end_ms)])
    assert rows["time_ms"].min() >= start_ms
    assert rows["time_ms"].max() < end_ms
    assert (np.diff(rows["time_ms"]) >= 0).all()


def test_a_batch_ends_with_its_day_or_with_the_history() -> None:
    ends = [end for end, _ in history(SMALL, MONDAY_MS + HOUR_MS, MONDAY_MS + DAY_MS + HOUR_MS)]
    assert ends == [MONDAY_MS + DAY_MS, MONDAY_MS + DAY_MS + HOUR_MS]


def test_people_sleep_at_night_by_their_own_clock() -> None:
    rows = a_day(World.create(seed=1, n_users=5000))
    hour = local_hour(rows["time_ms"], rows["clock"])
    assert ((hour >= 1) & (hour < 5)).mean() < 0.04
    assert ((hour >= 9) & (hour < 21)).mean() > 0.7


def test_who_is_under_way_pays_nothing() -> None:
    _, under_way = whereabouts(SMALL, MONDAY_MS // DAY_MS)
    assert under_way.any()
    assert not under_way[a_day()["user"]].any()


def test_most_payments_are_at_a_usual_shop() -> None:
    rows = a_day()
    usual = (SMALL.favourites[rows["user"]] == rows["merchant"][:, None]).any(axis=1)
    assert 0.6 < usual.mean() < 0.9


def test_some_payments_follow_another_within_minutes() -> None:
    rows = a_day(World.create(seed=1, n_users=5000))
    rows = rows[np.lexsort((rows["time_ms"], rows["user"]))]
    follows = (np.diff(rows["user"]) == 0) & (np.diff(rows["time_ms"]) < 600_000)
    assert 0.08 < follows.mean() < 0.25


@pytest.mark.parametrize(("channel", "has_device", "has_address"), [
    (ECOM, True, True), (CONTACTLESS, True, False), (POS, False, False), (ATM, False, False)])
def test_a_device_and_an_address_are_known_where_the_channel_tells_them(
    channel: int, has_device: bool, has_address: bool
) -> None:
    rows = a_day()
    rows = rows[rows["channel"] == channel]
    assert set(rows["device"] != NONE) == {has_device}
    assert set(rows["ip"] != NONE) == {has_address}


def test_nobody_taps_a_large_amount() -> None:
    rows = a_day()
    assert rows["usd"][rows["channel"] == CONTACTLESS].max() < CONTACTLESS_LIMIT_USD


def test_a_card_in_a_terminal_is_where_its_owner_is() -> None:
    rows = a_day()
    present = rows[rows["channel"] != ECOM]
    assert np.array_equal(present["place"], SMALL.merchants.city(present["merchant"]))
    assert np.array_equal(present["place"], present["clock"])


def test_live_traffic_is_due_at_equal_intervals() -> None:
    rows = live(SMALL, rate_per_s=8, start_ms=MONDAY_MS, duration_s=5)
    assert rows["time_ms"].tolist() == [MONDAY_MS + 125 * number for number in range(40)]


def test_in_live_traffic_nobody_pays_again_before_everybody_has_paid() -> None:
    rows = live(SMALL, rate_per_s=100, start_ms=MONDAY_MS, duration_s=8)
    assert len(set(rows["user"][:400].tolist())) == 400
    assert np.array_equal(rows["user"][:400], rows["user"][400:])


def test_in_live_traffic_those_come_first_who_are_awake() -> None:
    world = World.create(seed=1, n_users=5000)
    rows = live(world, rate_per_s=100, start_ms=MONDAY_MS, duration_s=3)
    hour = local_hour(MONDAY_MS, world.home)
    asleep = (hour >= 1) & (hour < 5)
    assert asleep.mean() > 0.05
    assert asleep[rows["user"]].mean() < 0.4 * asleep.mean()


def test_a_row_beyond_the_end_of_its_batch_waits_for_its_turn() -> None:
    early, beyond, late = (payment(time_ms=at_ms) for at_ms in (1, 12, 11))
    batches = [(10, np.concatenate([beyond, early])), (20, late)]
    assert [rows["time_ms"].tolist() for _, rows in in_order(batches, "time_ms")] == [[1], [11, 12]]


def test_a_row_beyond_the_last_batch_is_not_lost() -> None:
    assert [rows["time_ms"].tolist() for _, rows in in_order([(10, payment(time_ms=15))], "time_ms")] == [[], [15]]


def test_every_clock_has_midnight_once_a_day() -> None:
    hours = local_hour(MONDAY_MS, np.arange(len(CITIES)))
    assert np.allclose(hours, (CITIES.utc_offset_min / 60) % 24)
