"""Honest payments: habits, errands, journeys, and the surprises that make a detector work for its living."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobs.simulate.categories import CHANNEL, CONTACTLESS, ECOM, LOG_MEDIAN_USD, POS, SIGMA, TRANSFER
from jobs.simulate.cities import CITIES
from jobs.simulate.journeys import whereabouts
from jobs.simulate.payment import DAY_MS, HOUR_MS, NONE, Payments, ip_address, local_hour, payments
from jobs.simulate.world import CITY_STEPS, FAVOURITE_STEPS, Floats, Ints, World, draw

DAY_STREAM, LIVE_STREAM = 1, 2
N_OPTIONAL = 10

SHARE_USUAL_SHOP = 0.80
SHARE_WITH_COMPANION = 0.12   # followed by another payment within minutes
SHARE_REPEATED = 0.03         # of those: the same payment again, as after a refusal
COMPANION_S = (20, 600)
SHARE_BIG = 0.004
SHARE_ELSEWHERE = 0.015       # of Internet payments: their address is taken for one in another city
SHARE_MOBILE = 0.15     # of Internet payments: a mobile address
SHARE_ABSENT = 0.06           # one optional field is missing
SHARE_CONTACTLESS = 0.6
CONTACTLESS_LIMIT_USD = 60.0

# How busy each hour of the payer's day is.
RHYTHM = np.array([.5, .3, .2, .1, .1, .3, .8, 1.8, 3.0, 3.6, 4.2, 5.0,
                   6.2, 5.6, 4.8, 4.8, 5.2, 6.2, 7.0, 6.4, 5.0, 3.6, 2.2, 1.1])
HOUR_STEPS = np.concatenate([[0.0], np.cumsum(RHYTHM) / RHYTHM.sum()])


def history(world: World, start_ms: int, end_ms: int) -> Iterator[tuple[int, Payments]]:
    """Honest payments of [start, end) in time order, one batch per UTC day, as (end of the batch, payments)."""
    for day in range(start_ms // DAY_MS, -(-end_ms // DAY_MS)):
        rows = _day(world, day)
        rows = rows[np.argsort(rows["time_ms"], kind="stable")]
        inside = (rows["time_ms"] >= start_ms) & (rows["time_ms"] < end_ms)
        yield min((day + 1) * DAY_MS, end_ms), rows[inside]


def live(world: World, rate_per_s: float, start_ms: int, duration_s: float) -> Payments:
    """Honest payments at a fixed rate. Users take turns, those first who are awake and pay often.

    So a user comes again only after all others, and his pace stays as in a history while rate x duration is below the
    number of users.
    """
    n = round(rate_per_s * duration_s)
    day = start_ms // DAY_MS
    rng = world.rng(LIVE_STREAM, start_ms)
    city, away = whereabouts(world, day)
    hour = (local_hour(start_ms, city) - world.clock_shift_h) % 24
    eager = world.per_day * RHYTHM[hour.astype(np.int64)] * np.where(away, 1e-9, 1.0)
    turns = np.argsort(rng.exponential(size=world.n_users) / eager)
    time_ms = start_ms + (np.arange(n) * 1000 / rate_per_s).astype(np.int64)
    return _purchases(world, rng, np.resize(turns, n), time_ms, city, day)


def _day(world: World, day: int) -> Payments:
    rng = world.rng(DAY_STREAM, day)
    city, in_transit = whereabouts(world, day)
    user = np.repeat(np.arange(world.n_users), rng.poisson(np.where(in_transit, 0.0, world.per_day)))
    hour = np.interp(rng.random(len(user)), HOUR_STEPS, np.arange(25)) + world.clock_shift_h[user]
    since_midnight_ms = hour * HOUR_MS - CITIES.utc_offset_min[city[user]] * 60_000
    time_ms = day * DAY_MS + since_midnight_ms.astype(np.int64) % DAY_MS
    rows = _purchases(world, rng, user, time_ms, city, day)
    return np.concatenate([rows, _companions(world, rng, rows)])


def _purchases(world: World, rng: np.random.Generator, user: Ints, time_ms: Ints, city: Ints, day: int) -> Payments:
    place = city[user]
    usual = (place == world.home[user]) & (rng.random(len(user)) < SHARE_USUAL_SHOP)
    favourite = world.favourites[user, draw(rng, FAVOURITE_STEPS, len(user))]
    merchant = np.where(usual, favourite, world.merchants.draw(rng, place))
    rows = payments(len(user), user=user, time_ms=time_ms, merchant=merchant, place=place, clock=place,
                    card=rng.integers(0, world.n_cards[user]))
    _settle(world, rng, rows, day)
    return rows


def _companions(world: World, rng: np.random.Generator, rows: Payments) -> Payments:
    """Second payments of the same errand: elsewhere in the same city, or the same one tried again."""
    first = rows[rng.random(len(rows)) < SHARE_WITH_COMPANION]
    later = first.copy()
    later["place"] = later["clock"]
    again = rng.random(len(first)) < SHARE_REPEATED
    later["merchant"] = world.merchants.draw(rng, later["place"])
    day = int(first["time_ms"][0] // DAY_MS) if len(first) else 0
    _settle(world, rng, later, day)
    later[again] = first[again]
    later["time_ms"] += (rng.uniform(*COMPANION_S, len(later)) * 1000).astype(np.int64)
    later["record_ms"] = later["time_ms"]
    return later[later["time_ms"] < (day + 1) * DAY_MS]


def _settle(world: World, rng: np.random.Generator, rows: Payments, day: int) -> None:
    """Fill in what follows from payer, merchant and place: amount, channel, device, address, payee."""
    n, user = len(rows), rows["user"]
    kind = world.merchants.category(rows["merchant"])
    rows["usd"] = _amounts(world, rng, rows, kind)
    rows["channel"] = _channels(rng, kind, rows["usd"])
    online = rows["channel"] == ECOM
    slot = np.minimum(rng.geometric(0.7, n) - 1, world.n_devices[user] - 1)
    device = world.device(user, np.where(online, slot, 0), day)
    rows["device"] = np.where(online | (rows["channel"] == CONTACTLESS), device, NONE)
    elsewhere = online & (rng.random(n) < SHARE_ELSEWHERE)
    rows["place"] = np.where(elsewhere, draw(rng, CITY_STEPS, n), rows["place"])
    host = np.where(rng.random(n) < SHARE_MOBILE, rng.integers(0, 2**16, n), user * 7919)
    rows["ip"] = np.where(online, ip_address(rows["place"], host), NONE)
    rows["payee"] = np.where(kind == TRANSFER, user * 3 + rng.integers(0, 3, n), NONE)
    rows["absent"] = np.where(rng.random(n) < SHARE_ABSENT, rng.integers(1, N_OPTIONAL + 1, n), 0)


def _amounts(world: World, rng: np.random.Generator, rows: Payments, kind: Ints) -> Floats:
    n = len(rows)
    big = np.where(rng.random(n) < SHARE_BIG, rng.lognormal(2.0, 0.4, n), 1.0)
    personal = world.spending[rows["user"]] * world.merchants.price_level[rows["merchant"]]
    return np.exp(LOG_MEDIAN_USD[kind] + SIGMA[kind] * rng.normal(size=n)) * personal * big


def _channels(rng: np.random.Generator, kind: Ints, usd: Floats) -> Ints:
    taps = (rng.random(len(kind)) < SHARE_CONTACTLESS) & (usd < CONTACTLESS_LIMIT_USD)
    return np.where(CHANNEL[kind] == POS, np.where(taps, CONTACTLESS, POS), CHANNEL[kind])
