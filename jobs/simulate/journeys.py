"""Who is away from home, and where: short journeys, so that a foreign payment is not a fraud by itself.

    home     home     (under way: no payment)     away     away     (under way)     home
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.cities import CITIES
from jobs.simulate.world import CITY_STEPS, Floats, Ints, World, draw

JOURNEY_STREAM = 3
PERIOD_DAYS = 14                # a user starts at most one journey in each, and is back when it ends
SHARE_TRAVELLING = 0.06         # of users in a period
DAYS_AWAY = (1, 4)              # between the two days under way, last one excluded
NEAR_KM = 1500.0
SHARE_FAR = 0.3                 # of journeys: anywhere in the world


def whereabouts(world: World, day: int) -> tuple[Ints, NDArray[np.bool_]]:
    """The city each user is in that UTC day, and whether he is under way and pays nothing."""
    rng = world.rng(JOURNEY_STREAM, day // PERIOD_DAYS)
    n = world.n_users
    travels = rng.random(n) < SHARE_TRAVELLING
    days_away = rng.integers(*DAYS_AWAY, n)
    leaves = rng.integers(0, PERIOD_DAYS - 1 - days_away)
    into = day % PERIOD_DAYS - leaves
    under_way = travels & ((into == 0) | (into == days_away + 1))
    away = travels & (into > 0) & (into <= days_away)
    return np.where(away, _destinations(world, rng), world.home), under_way


def _destinations(world: World, rng: np.random.Generator) -> Ints:
    """Mostly a city near home, sometimes anywhere."""
    n = world.n_users
    found = np.searchsorted(_NEARBY, world.home + rng.random(n), side="right") - world.home * len(CITIES)
    nearby = np.minimum(found, len(CITIES) - 1)
    return np.where(rng.random(n) < SHARE_FAR, draw(rng, CITY_STEPS, n), nearby)


def _nearby_steps() -> Floats:
    """Cumulative shares of the cities near each city, that city's own number added: all in one ascending array."""
    shares = []
    for city in range(len(CITIES)):
        km = CITIES.distance_km(city)
        weight = CITIES.population_m * np.where(km < NEAR_KM, 1.0, 1e-3) * (np.arange(len(CITIES)) != city)
        shares.append(city + np.minimum(np.cumsum(weight) / weight.sum(), 1.0))
    return np.concatenate(shares)


_NEARBY = _nearby_steps()
