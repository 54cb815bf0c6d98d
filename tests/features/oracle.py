"""The features as anyone would write them down: one payment at a time, plain loops, no numpy. Slow and obvious."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from features.catalogue import FeatureSet
from features.windows import window_name

H = 1000  # milliseconds in a second


@dataclass(frozen=True)
class Payment:
    """One payment as the oracle sees it; amounts in whole cents of USD, None where missing."""

    id: str
    user: str
    arrival: int
    event_ms: int
    cents: int
    offset_min: int | None = 0
    merchant_id: str | None = None
    merchant_category: str | None = None
    city: str | None = None
    country: str | None = None
    device_id: str | None = None
    card_id: str | None = None
    place: tuple[float, float] | None = None


def is_duplicate(p: Payment, everything: list[Payment], horizon_s: int, lookahead_ms: int) -> bool:
    return any(
        q.user == p.user
        and q.id == p.id
        and q.arrival < p.arrival
        and p.event_ms - horizon_s * H < q.event_ms <= p.event_ms + lookahead_ms
        for q in everything
    )


def visible(p: Payment, everything: list[Payment], horizon_s: int) -> list[Payment]:
    """What ``p`` may see, itself last: no later in time or arrival, within the horizon, the first of each id."""
    seen = [
        q
        for q in everything
        if q.user == p.user
        and q.arrival <= p.arrival
        and p.event_ms - horizon_s * H < q.event_ms
        and (q.event_ms, q.arrival) <= (p.event_ms, p.arrival)
    ]
    first: dict[str, Payment] = {}
    for q in sorted(seen, key=lambda q: q.arrival):
        first.setdefault(q.id, q)
    return sorted(first.values(), key=lambda q: (q.event_ms, q.arrival))


def features(p: Payment, everything: list[Payment], chosen: FeatureSet) -> dict[str, float]:
    seen = visible(p, everything, chosen.horizon_s)
    assert seen[-1] == p

    def within(seconds: int) -> list[Payment]:
        return [q for q in seen if q.event_ms > p.event_ms - seconds * H]

    usd = p.cents / 100
    result = {
        "amount_base": usd,
        "log_amount": math.log1p(usd),
        "is_round_amount": float(p.cents > 0 and p.cents % 1000 == 0),
        "is_tiny_amount": float(usd < 2),
    }
    for window in chosen.windows_s:
        inside, name = within(window), window_name(window)
        result[f"count_{name}"] = len(inside)
        result[f"sum_amount_{name}"] = sum(q.cents for q in inside) / 100
        if window >= 86_400:
            result[f"mean_amount_{name}"] = sum(q.cents for q in inside) / 100 / len(inside)
    plurals = dict(merchant_id="merchants", city="cities", country="countries", device_id="devices", card_id="cards")
    plurals["merchant_category"] = "categories"
    for attribute, plural in plurals.items():
        for window in {*chosen.distinct_windows_s, *([60] if attribute == "city" else [])}:
            values = {getattr(q, attribute) for q in within(window)} - {None}
            result[f"distinct_{plural}_{window_name(window)}"] = len(values)
    result |= _habits(p, within(chosen.profile_s), window_name(chosen.profile_s))
    for attribute, name in dict(merchant_id="merchant", device_id="device", city="city", country="country").items():
        value = getattr(p, attribute)
        known = value in {getattr(q, attribute) for q in seen[:-1]}
        result[f"new_{name}"] = math.nan if value is None else float(not known)
    result |= _movement(p, seen)
    local_h = (p.event_ms // 60_000 + (p.offset_min or 0)) // 60
    hour, weekday = local_h % 24, (local_h // 24 + 3) % 7
    result |= {"hour": hour, "weekday": weekday, "is_weekend": float(weekday in (5, 6))}
    result["is_night"] = float(hour in (22, 23, 0, 1, 2, 3, 4, 5))
    result["history_s"] = (p.event_ms - seen[0].event_ms) / H
    return result


def _habits(p: Payment, profile: list[Payment], name: str) -> dict[str, float]:
    earlier = [q.cents for q in profile[:-1]]
    zscore = math.nan
    if len(earlier) > 1:
        zscore = (p.cents - mean(earlier)) / max(stdev(earlier), 0.01 * mean(earlier), 1)
    same_category = [q.cents for q in profile if q.merchant_category == p.merchant_category]
    return {
        f"amount_ratio_{name}": p.cents / mean(earlier) if sum(earlier) else math.nan,
        f"amount_zscore_{name}": zscore,
        f"sum_amount_same_category_{name}": math.nan if p.merchant_category is None else sum(same_category) / 100,
        f"count_same_amount_{name}": earlier.count(p.cents),
    }


def _movement(p: Payment, seen: list[Payment]) -> dict[str, float]:
    located = [q for q in seen[:-1] if q.place is not None]
    result = {"gap_s": (p.event_ms - seen[-2].event_ms) / H if len(seen) > 1 else math.nan}
    if p.place is None or not located:
        return result | {"distance_km": math.nan, "speed_kmh": math.nan}
    km = _great_circle_km(located[-1].place, p.place)
    seconds = max((p.event_ms - located[-1].event_ms) / H, 1)
    return result | {"distance_km": km, "speed_kmh": km / seconds * 3600}


def _great_circle_km(a: Any, b: Any) -> float:
    """By the angle between the two unit vectors: another formula than the one under test."""
    va, vb = (_unit_vector(*place) for place in (a, b))
    cross = (va[1] * vb[2] - va[2] * vb[1], va[2] * vb[0] - va[0] * vb[2], va[0] * vb[1] - va[1] * vb[0])
    return 6371.0088 * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(va, vb, strict=True)))


def _unit_vector(lat: float, lon: float) -> tuple[float, float, float]:
    phi, lam = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)
