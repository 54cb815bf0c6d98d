from __future__ import annotations

import numpy as np
import pytest

from jobs.simulate.categories import ECOM, POS
from jobs.simulate.cities import CITIES
from jobs.simulate.payment import (
    ACCOUNT_TAKEOVER,
    CARD_TESTING,
    DAY_MS,
    HONEST,
    HOUR_MS,
    IMPOSSIBLE_TRAVEL,
    MINUTE_MS,
    SCHEMES,
    Payments,
    local_hour,
)
from jobs.simulate.schemes import attacks, inject
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, a_day

SEEDS = range(25)


def attack(scheme: int, seed: int = 0, **options: int) -> Payments:
    return inject(SMALL, SCHEMES[scheme], MONDAY_MS, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_card_is_tested_with_many_tiny_payments_and_then_a_large_one(seed: int) -> None:
    rows = attack(CARD_TESTING, seed)
    tries, prize = rows[:-1], rows[-1]
    assert 8 <= len(tries) <= 30
    assert tries["usd"].max() <= 2.5
    assert tries["time_ms"].max() - MONDAY_MS <= 3 * MINUTE_MS
    assert len(set(tries["merchant"].tolist())) > len(tries) / 2
    assert prize["usd"] > 20 * tries["usd"].max()
    assert prize["time_ms"] >= tries["time_ms"].max()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_copied_card_pays_on_another_continent_within_the_hour(seed: int) -> None:
    rows = attack(IMPOSSIBLE_TRAVEL, seed)
    owner, copies = rows[0], rows[1:]
    assert (owner["scheme"], owner["place"]) == (HONEST, SMALL.home[owner["user"]])
    assert set(copies["scheme"]) == {IMPOSSIBLE_TRAVEL}
    assert set(rows["channel"]) == {POS}
    assert (CITIES.distance_km(int(owner["place"]))[copies["place"]] > 5000).all()
    assert 0 < copies["time_ms"].min() - owner["time_ms"] <= HOUR_MS


@pytest.mark.parametrize("seed", SEEDS)
def test_an_account_is_taken_over_at_night_by_a_strange_device_abroad(seed: int) -> None:
    rows = attack(ACCOUNT_TAKEOVER, seed)
    victim = int(rows["user"][0])
    assert (local_hour(rows["time_ms"], rows["clock"]) < 6).all()
    assert set(rows["clock"]) == {SMALL.home[victim]}
    assert (CITIES.country[rows["place"]] != CITIES.country[SMALL.home[victim]]).all()
    assert len(set(rows["device"].tolist())) == 1
    assert set(rows["channel"]) == {ECOM}
    assert rows["usd"].sum() > 300


def test_no_honest_user_has_the_device_of_an_attacker() -> None:
    assert not set(attack(ACCOUNT_TAKEOVER)["device"].tolist()) & set(a_day()["device"].tolist())


@pytest.mark.parametrize("scheme", [CARD_TESTING, IMPOSSIBLE_TRAVEL, ACCOUNT_TAKEOVER])
def test_an_attack_fits_into_the_room_it_is_given(scheme: int) -> None:
    times = np.concatenate([attack(scheme, seed, room_ms=30_000)["time_ms"] for seed in range(50)])
    assert times.min() >= MONDAY_MS
    assert times.max() < MONDAY_MS + 30_000


@pytest.mark.parametrize("scheme", [CARD_TESTING, IMPOSSIBLE_TRAVEL, ACCOUNT_TAKEOVER])
def test_an_attack_hits_the_user_it_is_told_to(scheme: int) -> None:
    assert set(attack(scheme, victim=17)["user"]) == {17}


def test_attacks_take_the_schemes_in_turn_and_no_user_twice() -> None:
    rows = attacks(SMALL, 90, MONDAY_MS, MONDAY_MS + DAY_MS)
    frauds = rows[rows["scheme"] != HONEST]
    victims = {scheme: set(frauds["user"][frauds["scheme"] == scheme].tolist())
               for scheme in (CARD_TESTING, IMPOSSIBLE_TRAVEL, ACCOUNT_TAKEOVER)}
    assert [len(users) for users in victims.values()] == [30, 30, 30]
    assert len(set.union(*victims.values())) == 90


def test_attacks_lie_inside_the_time_they_are_given() -> None:
    rows = attacks(SMALL, 30, MONDAY_MS, MONDAY_MS + 60_000)
    assert rows["time_ms"].min() >= MONDAY_MS
    assert rows["time_ms"].max() < MONDAY_MS + 60_000


def test_more_attacks_than_users_are_possible() -> None:
    assert len(attacks(SMALL, SMALL.n_users + 1, MONDAY_MS, MONDAY_MS + DAY_MS)) > SMALL.n_users
