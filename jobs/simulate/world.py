"""The simulated world: who pays, where they live, what they carry and where they like to shop.

Everything follows from the seed: the same seed and sizes give the same world, and the same day in it the same payments.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.categories import CATEGORIES, CHANNEL, ECOM, SHARE, SHOP_NAMES
from jobs.simulate.cities import CITIES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

N_FAVOURITES = 12
DEFAULT_PER_DAY = 3.5
LONG_TAIL_SIGMA = 0.9
MOST_PER_DAY = 60.0
SHARE_NIGHT_WORKERS = 0.03


def zipf_steps(n: int, exponent: float = 1.1) -> Floats:
    """Cumulative shares of n ranks: the first is liked best, the last is rarely met."""
    weight = np.arange(1, n + 1) ** -exponent
    return np.cumsum(weight) / weight.sum()


def draw(rng: np.random.Generator, steps: Floats, n: int) -> Ints:
    """So many positions, by their cumulative shares."""
    return np.minimum(np.searchsorted(steps, rng.random(n), side="right"), len(steps) - 1)


CATEGORY_STEPS = np.cumsum(SHARE)
CITY_STEPS = np.cumsum(CITIES.population_m) / CITIES.population_m.sum()
FAVOURITE_STEPS = zipf_steps(N_FAVOURITES)


@dataclass(frozen=True)
class Merchants:
    """Shops in a grid of city, category and rank; a merchant is its number in that grid."""

    n_ranks: int
    latitude: Floats
    longitude: Floats
    price_level: Floats
    name: NDArray[np.object_]

    @classmethod
    def create(cls, rng: np.random.Generator, n_ranks: int) -> Merchants:
        shape = (len(CITIES), len(CATEGORIES), n_ranks)
        city = np.indices(shape)[0].ravel()
        latitude, longitude = (
            np.round(axis[city] + rng.normal(0, 0.06, city.size), 4) for axis in (CITIES.latitude, CITIES.longitude))
        names = [f"{SHOP_NAMES[rank % len(SHOP_NAMES)]} {category.shop} {where}"
                 for where in CITIES.name for category in CATEGORIES for rank in range(n_ranks)]
        return cls(n_ranks, latitude, longitude, rng.lognormal(0, 0.25, city.size), np.array(names, object))

    def city(self, merchant: Ints) -> Ints:
        return merchant // (len(CATEGORIES) * self.n_ranks)

    def category(self, merchant: Ints) -> Ints:
        return merchant // self.n_ranks % len(CATEGORIES)

    def draw(self, rng: np.random.Generator, place: Ints, category: Ints | None = None) -> Ints:
        """A shop for each place; one on the Internet may have its seat anywhere."""
        n = len(place)
        kind = draw(rng, CATEGORY_STEPS, n) if category is None else category
        seat = np.where(CHANNEL[kind] == ECOM, draw(rng, CITY_STEPS, n), place)
        return (seat * len(CATEGORIES) + kind) * self.n_ranks + draw(rng, zipf_steps(self.n_ranks, 0.7), n)


@dataclass(frozen=True)
class World:
    """One array per property of the users; a user is his position in them."""

    seed: int
    merchants: Merchants
    home: Ints                # city
    per_day: Floats           # payments, long-tailed: most users few, some dozens
    spending: Floats          # factor on every amount
    clock_shift_h: Floats     # later (or earlier) than others
    n_cards: Ints
    n_devices: Ints
    phone_age_days: Floats    # on day 0
    phone_life_days: Floats
    favourites: Ints          # (user, rank) -> merchant

    @classmethod
    def create(cls, seed: int = 1, n_users: int = 5000, per_day: float = DEFAULT_PER_DAY) -> World:
        """`per_day` is the mean number of payments of a user, before the few that come in bursts."""
        rng = np.random.default_rng([seed, n_users])
        merchants = Merchants.create(rng, n_ranks=int(np.clip(n_users // 400, 4, 20)))
        home = draw(rng, CITY_STEPS, n_users)
        liked = merchants.draw(rng, np.repeat(home, N_FAVOURITES)).reshape(n_users, N_FAVOURITES)
        life_days = rng.uniform(400, 1200, n_users)
        return cls(
            seed=seed, merchants=merchants, home=home, favourites=liked,
            per_day=_long_tailed(rng, n_users, per_day),
            spending=rng.lognormal(0, 0.35, n_users),
            clock_shift_h=_clock_shift(rng, n_users),
            n_cards=rng.integers(1, 3, n_users), n_devices=rng.integers(1, 4, n_users),
            phone_age_days=rng.random(n_users) * life_days, phone_life_days=life_days,
        )

    @property
    def n_users(self) -> int:
        return len(self.home)

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each purpose and day, so that any day can be made without those before it."""
        return np.random.default_rng([self.seed, self.n_users, *stream])

    def device(self, user: Ints, slot: Ints, day: int) -> Ints:
        """The number of a user's device that day: each is replaced when its life is over."""
        generation = (self.phone_age_days[user] + day + 97 * slot) // self.phone_life_days[user]
        return (user * 4 + slot) * 1024 + generation.astype(np.int64) % 1024


def _long_tailed(rng: np.random.Generator, n: int, mean: float) -> Floats:
    """Log-normal with that mean, cut off where nobody pays any more."""
    return np.minimum(mean * rng.lognormal(-LONG_TAIL_SIGMA**2 / 2, LONG_TAIL_SIGMA, n), MOST_PER_DAY)


def _clock_shift(rng: np.random.Generator, n: int) -> Floats:
    works_at_night = rng.random(n) < SHARE_NIGHT_WORKERS
    return np.where(works_at_night, 10.0, np.clip(rng.normal(0, 1.2, n), -4, 4))
