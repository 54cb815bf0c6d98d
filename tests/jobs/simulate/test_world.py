from __future__ import annotations

import numpy as np
import pytest

from jobs.simulate.categories import CATEGORIES, SHARE
from jobs.simulate.cities import CITIES
from jobs.simulate.journeys import PERIOD_DAYS, whereabouts
from jobs.simulate.world import World, draw, zipf_steps
from tests.jobs.simulate.worlds import SMALL

MONDAY = 20_458  # days since 1970 of 2026-01-05


def city(name: str) -> int:
    return CITIES.name.tolist().index(name)


def test_the_same_seed_makes_the_same_world() -> None:
    again = World.create(seed=3, n_users=400)
    for name in ("home", "per_day", "spending", "favourites", "phone_life_days"):
        assert np.array_equal(getattr(SMALL, name), getattr(again, name)), name


def test_another_seed_makes_another_world() -> None:
    assert not np.array_equal(SMALL.home, World.create(seed=4, n_users=400).home)


def test_there_are_about_sixty_cities_on_the_map() -> None:
    assert 55 <= len(CITIES) <= 70
    assert (np.abs(CITIES.latitude) <= 90).all()
    assert (np.abs(CITIES.longitude) <= 180).all()


@pytest.mark.parametrize(("a", "b", "km"), [
    ("London", "Paris", 344), ("New York", "Tokyo", 10_850), ("Sydney", "Auckland", 2156)])
def test_distances_are_those_of_an_atlas(a: str, b: str, km: float) -> None:
    assert CITIES.distance_km(city(a))[city(b)] == pytest.approx(km, rel=0.01)


def test_the_shares_of_all_categories_add_up() -> None:
    assert SHARE.sum() == pytest.approx(1)
    assert len({category.mcc for category in CATEGORIES}) == len(CATEGORIES)


def test_the_mean_number_of_payments_is_as_asked_and_most_users_pay_less() -> None:
    per_day = World.create(seed=1, n_users=20_000, per_day=3.5).per_day
    assert per_day.mean() == pytest.approx(3.5, rel=0.05)
    assert np.median(per_day) < 0.75 * per_day.mean()
    assert np.quantile(per_day, 0.99) > 4 * per_day.mean()


def test_a_rank_is_drawn_as_often_as_zipf_says() -> None:
    drawn = draw(np.random.default_rng(1), zipf_steps(3, exponent=1.0), 60_000)
    weights = np.array([1, 1 / 2, 1 / 3])
    assert np.bincount(drawn) / 60_000 == pytest.approx(weights / weights.sum(), abs=0.01)


def test_a_shop_is_found_again_in_its_city_and_category() -> None:
    tokyo = np.full(50, city("Tokyo"))
    markets = SMALL.merchants.draw(np.random.default_rng(1), tokyo, np.zeros(50, int))
    assert set(SMALL.merchants.city(markets)) == {city("Tokyo")}
    assert set(SMALL.merchants.category(markets)) == {0}
    assert all("Market Tokyo" in name for name in SMALL.merchants.name[markets])


def test_a_phone_is_replaced_when_its_life_is_over_and_only_then() -> None:
    user = np.array([0])
    life = int(np.ceil(SMALL.phone_life_days[0]))
    devices = {int(SMALL.device(user, np.array([0]), MONDAY + day)[0]) for day in range(life)}
    assert 1 <= len(devices) <= 2
    assert SMALL.device(user, np.array([0]), MONDAY) != SMALL.device(user, np.array([0]), MONDAY + life)


def test_no_two_users_share_a_device() -> None:
    users = np.arange(SMALL.n_users)
    devices = np.concatenate([SMALL.device(users, np.full(SMALL.n_users, slot), MONDAY) for slot in range(3)])
    assert len(set(devices.tolist())) == 3 * SMALL.n_users


def test_a_journey_starts_and_ends_with_a_day_under_way() -> None:
    first = MONDAY // PERIOD_DAYS * PERIOD_DAYS
    world = World.create(seed=1, n_users=2000)
    days = [whereabouts(world, day) for day in range(first, first + PERIOD_DAYS)]
    away = np.array([city != world.home for city, _ in days])
    under_way = np.array([moving for _, moving in days])
    travellers = np.flatnonzero(under_way.any(axis=0))
    assert 0.03 < len(travellers) / world.n_users < 0.1
    assert (under_way[:, travellers].sum(axis=0) == 2).all()
    for user in np.flatnonzero(away.any(axis=0)):
        left, returned = np.flatnonzero(under_way[:, user])
        assert np.array_equal(np.flatnonzero(away[:, user]), np.arange(left + 1, returned))
