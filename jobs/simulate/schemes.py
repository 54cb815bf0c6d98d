"""Fraud, as it is done: each scheme writes the payments of one attack on one user."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.categories import ECOM, POS, TRANSFER, positions
from jobs.simulate.cities import CITIES
from jobs.simulate.payment import (
    ACCOUNT_TAKEOVER,
    CARD_TESTING,
    HONEST,
    HOUR_MS,
    IMPOSSIBLE_TRAVEL,
    SCHEMES,
    Payments,
    ip_address,
    local_hour,
    payments,
)
from jobs.simulate.world import CITY_STEPS, Ints, World, draw

FRAUD_STREAM = 4
KINDS = (CARD_TESTING, IMPOSSIBLE_TRAVEL, ACCOUNT_TAKEOVER)
LONGEST_MS = 2 * HOUR_MS
FAR_KM = 5000.0
NIGHT_HOURS = (0, 5)
SHARE_HIDDEN = 0.6        # of card testers: behind an address in the victim's city
STRANGE_DEVICES = 2**40   # above every number that a user's device can have

SMALL_SHOPS = positions("Streaming", "Marketplace")
DEAR_ONLINE = positions("Marketplace", "Airways", "Money Transfer")
DEAR_IN_TOWN = positions("Electronics", "Jewelry", "Clothing", "Department Store")


@dataclass(frozen=True)
class Attack:
    """One attack about to be written. It ends before `at_ms + room_ms`."""

    world: World
    rng: np.random.Generator
    victim: int
    at_ms: int
    room_ms: int

    @property
    def home(self) -> int:
        return int(self.world.home[self.victim])

    def span_ms(self, low_s: float, high_s: float, share: float = 1.0) -> int:
        """A duration between these, or what `share` of the room allows."""
        return int(min(self.rng.uniform(low_s, high_s) * 1000, self.room_ms * share))

    def shops(self, kinds: NDArray[np.int64], n: int, place: int) -> Ints:
        return self.world.merchants.draw(self.rng, np.full(n, place), self.rng.choice(kinds, n))

    def usd(self, median: float, sigma: float, n: int) -> NDArray[np.float64]:
        return self.world.spending[self.victim] * median * self.rng.lognormal(0, sigma, n)

    def stranger(self, place: int) -> dict[str, int]:
        """Device, address and city of somebody else's computer."""
        return {"device": STRANGE_DEVICES + int(self.rng.integers(2**32)), "place": place,
                "ip": int(ip_address(place, self.rng.integers(2**16))), "channel": ECOM, "clock": self.home}


def card_testing(attack: Attack) -> Payments:
    """A stolen card number is tried with many tiny payments, and the first dear one follows."""
    rng, n = attack.rng, int(attack.rng.integers(8, 31))
    tries_ms = attack.span_ms(60, 180, share=0.7)
    after_ms = attack.span_ms(30, 180, share=0.3)
    time_ms = attack.at_ms + np.append(np.sort(rng.integers(0, tries_ms, n)), tries_ms + after_ms - 1)
    shops = np.append(attack.shops(SMALL_SHOPS, n, attack.home), attack.shops(DEAR_ONLINE, 1, attack.home))
    place = attack.home if rng.random() < SHARE_HIDDEN else int(draw(rng, CITY_STEPS, 1)[0])
    return payments(n + 1, time_ms=time_ms, merchant=shops, user=attack.victim, scheme=CARD_TESTING,
                    usd=np.append(rng.uniform(0.3, 2.5, n), attack.usd(320, 0.5, 1)), **attack.stranger(place))


def impossible_travel(attack: Attack) -> Payments:
    """The card's owner pays at home, and minutes later a copy of the card pays on another continent."""
    rng, n = attack.rng, int(attack.rng.integers(2, 5))
    far = int(rng.choice(np.flatnonzero(CITIES.distance_km(attack.home) > FAR_KM)))
    gap_ms = attack.span_ms(180, 2700, share=0.6)
    time_ms = attack.at_ms + gap_ms + np.sort(rng.integers(0, attack.span_ms(60, 1200, share=0.3), n))
    owner = payments(1, time_ms=attack.at_ms, merchant=attack.shops(positions("Market", "Bistro"), 1, attack.home),
                     user=attack.victim, usd=attack.usd(28, 0.5, 1), place=attack.home, clock=attack.home,
                     channel=POS, scheme=HONEST)
    copy = payments(n, time_ms=time_ms, merchant=attack.shops(DEAR_IN_TOWN, n, far), user=attack.victim,
                    usd=attack.usd(110, 0.6, n), place=far, clock=far, channel=POS, scheme=IMPOSSIBLE_TRAVEL)
    return np.concatenate([owner, copy])


def account_takeover(attack: Attack) -> Payments:
    """While the user sleeps, somebody logs in as him from a new device in another country and empties the account."""
    rng, n = attack.rng, int(attack.rng.integers(4, 9))
    abroad = int(rng.choice(np.flatnonzero(CITIES.country != CITIES.country[attack.home])))
    time_ms = attack.at_ms + np.sort(rng.integers(0, attack.span_ms(600, 2400, share=0.9), n))
    shops = attack.shops(DEAR_ONLINE, n, attack.home)
    to_persons = attack.world.merchants.category(shops) == TRANSFER
    payee = np.where(to_persons, 3 * attack.world.n_users + rng.integers(0, 10**6, n), -1)
    return payments(n, time_ms=time_ms, merchant=shops, user=attack.victim, usd=attack.usd(240, 0.6, n), payee=payee,
                    scheme=ACCOUNT_TAKEOVER, **attack.stranger(abroad))


_WRITERS: dict[int, Callable[[Attack], Payments]] = {
    CARD_TESTING: card_testing, IMPOSSIBLE_TRAVEL: impossible_travel, ACCOUNT_TAKEOVER: account_takeover}


def inject(world: World, scheme: str, at_ms: int, rng: np.random.Generator, victim: int | None = None,
           room_ms: int = LONGEST_MS) -> Payments:
    """The payments of one attack that begins at `at_ms`; without a victim one is drawn from those it suits."""
    kind = SCHEMES.index(scheme)
    chosen = _victim(world, kind, at_ms, rng, np.ones(world.n_users, bool)) if victim is None else victim
    rows = _WRITERS[kind](Attack(world, rng, chosen, at_ms, room_ms))
    rows["card"] = rng.integers(0, world.n_cards[chosen])
    return rows


def attacks(world: World, n: int, start_ms: int, end_ms: int) -> Payments:
    """So many attacks in [start, end), the schemes in turn, each on another user as far as there are so many."""
    rng = world.rng(FRAUD_STREAM, start_ms, end_ms)
    room_ms = min(LONGEST_MS, (end_ms - start_ms) // 2)
    free = np.ones(world.n_users, bool)
    written = [payments(0)]
    for number, at_ms in enumerate(rng.integers(start_ms, end_ms - room_ms, n)):
        kind = KINDS[number % len(KINDS)]
        victim = _victim(world, kind, int(at_ms), rng, free if free.any() else ~free)
        free[victim] = False
        written.append(inject(world, SCHEMES[kind], int(at_ms), rng, victim, room_ms))
    return np.concatenate(written)


def _victim(world: World, kind: int, at_ms: int, rng: np.random.Generator, free: NDArray[np.bool_]) -> int:
    """One of the free users, rather one who pays often: awake by the clock at home, or asleep for a takeover."""
    hour = local_hour(at_ms, world.home)
    asleep = (hour >= NIGHT_HOURS[0]) & (hour < NIGHT_HOURS[1])
    suits = free & (asleep if kind == ACCOUNT_TAKEOVER else ~asleep)
    weight = world.per_day * (suits if suits.any() else free)
    return int(rng.choice(world.n_users, p=weight / weight.sum()))
