"""The catalogue: every feature by name, with its unit, what a missing value means, and how much history it needs.

Names are built, never typed twice: a family and a window make ``count_5m``, ``distinct_cities_24h``. The hash of a
FeatureSet stands in every scored record and every model bundle; two sets with one hash compute the same numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from features.errors import FeatureSetError
from features.windows import window_name, window_words

KERNEL_VERSION: Final = 1  # raise it when the same name starts to mean another number

PLURAL: Final = {
    "merchant_id": "merchants",
    "city": "cities",
    "country": "countries",
    "device_id": "devices",
    "card_id": "cards",
    "merchant_category": "categories",
}
NOVEL: Final = {"merchant_id": "new_merchant", "device_id": "new_device", "city": "new_city", "country": "new_country"}
CITY_WINDOW_S: Final = 60
MEAN_FROM_S: Final = 86_400

_NEVER: Final = "never missing"
_YES_NO: Final = "0 or 1"


@dataclass(frozen=True)
class FeatureSpec:
    """One feature. ``history_s`` is how far back it looks; ``sentence`` says a value in an analyst's words."""

    name: str
    unit: str
    null_meaning: str
    history_s: int
    sentence: str

    def describe(self, value: float) -> str:
        """The value as a phrase, such as ``12 payments in 1 min``; a missing value as what its absence means."""
        return self.null_meaning if value != value else self.sentence.format(value, yes_no="yes" if value else "no")


@dataclass(frozen=True)
class FeatureSet:
    """The features of one configuration. Windows are seconds, ``(t - w, t]``; raises FeatureSetError if it cannot be.

    ``windows_s`` are the windows of counts and sums, ``distinct_windows_s`` those of distinct values, and
    ``profile_s`` is how far back a user's own habits reach.
    """

    horizon_s: int = 86_400
    windows_s: tuple[int, ...] = (60, 300, 3_600, 86_400)
    distinct_windows_s: tuple[int, ...] = (3_600, 86_400)
    profile_s: int = 86_400
    base_currency: str = "USD"
    specs: tuple[FeatureSpec, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Build the list and refuse one that looks further back than the horizon."""
        for windows in (self.windows_s, self.distinct_windows_s, (self.profile_s,)):
            if not windows or list(windows) != sorted(set(windows)) or windows[0] <= 0:
                raise FeatureSetError(
                    f"windows {list(windows)} must be positive, ascending and distinct seconds", "order them"
                )
        specs = tuple(_specs(self))
        too_long = [spec for spec in specs if spec.history_s > self.horizon_s]
        if too_long:
            names = ", ".join(f"{spec.name} ({spec.history_s} s)" for spec in too_long[:5])
            raise FeatureSetError(
                f"the horizon is {self.horizon_s} s, but {len(too_long)} features need more: {names}",
                "raise features.horizon_s or drop the longer windows",
            )
        object.__setattr__(self, "specs", specs)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column order of every feature matrix."""
        return tuple(spec.name for spec in self.specs)

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits that change whenever a name, the horizon, the base currency or the kernel does."""
        parts = [KERNEL_VERSION, self.horizon_s, self.profile_s, self.base_currency, *self.names]
        return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:12]

    @cached_property
    def _by_name(self) -> dict[str, FeatureSpec]:
        return {spec.name: spec for spec in self.specs}

    def spec(self, name: str) -> FeatureSpec:
        """The feature of that name; raises FeatureSetError when there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            raise FeatureSetError(f"there is no feature {name!r}", f"use one of: {', '.join(self.names)}") from None


def _specs(chosen: FeatureSet) -> list[FeatureSpec]:
    money, horizon = chosen.base_currency, chosen.horizon_s
    return [
        *_amount_specs(money, chosen.profile_s),
        *(spec for window in chosen.windows_s for spec in _velocity_specs(window, money)),
        *_distinct_specs(chosen.distinct_windows_s),
        *_profile_specs(chosen.profile_s, money),
        *_movement_specs(horizon),
        *(
            FeatureSpec(
                name,
                _YES_NO,
                f"no {_words(field)} given",
                horizon,
                f"first payment with this {_words(field)}: {{yes_no}}",
            )
            for field, name in NOVEL.items()
        ),
        *_calendar_specs(),
        FeatureSpec("history_s", "s", _NEVER, horizon, "known for {:,.0f} s"),
    ]


def _words(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")


def _amount_specs(money: str, profile_s: int) -> list[FeatureSpec]:
    window, words = window_name(profile_s), window_words(profile_s)
    return [
        FeatureSpec("amount_base", money, _NEVER, 0, f"amount of {{:,.2f}} {money}"),
        FeatureSpec("log_amount", f"ln(1 + {money})", _NEVER, 0, "size of the amount, on a log scale {:.2f}"),
        FeatureSpec("is_round_amount", _YES_NO, _NEVER, 0, "round amount: {yes_no}"),
        FeatureSpec("is_tiny_amount", _YES_NO, _NEVER, 0, "tiny amount, as in card testing: {yes_no}"),
        FeatureSpec(
            f"amount_ratio_{window}",
            "times the mean of the earlier payments",
            f"no earlier payment above 0 in {words}",
            profile_s,
            f"amount is {{:.1f}} times this user's mean of {words}",
        ),
        FeatureSpec(
            f"amount_zscore_{window}",
            "standard deviations",
            f"fewer than two earlier payments in {words}",
            profile_s,
            f"amount is {{:+.1f}} standard deviations from this user's mean of {words}",
        ),
    ]


def _velocity_specs(window_s: int, money: str) -> list[FeatureSpec]:
    window, words = window_name(window_s), window_words(window_s)
    count = FeatureSpec(f"count_{window}", "payments", _NEVER, window_s, f"{{:,.0f}} payments in {words}")
    total = FeatureSpec(f"sum_amount_{window}", money, _NEVER, window_s, f"{{:,.2f}} {money} spent in {words}")
    mean = FeatureSpec(f"mean_amount_{window}", money, _NEVER, window_s, f"mean of {{:,.2f}} {money} over {words}")
    # In a short window the mean mostly repeats the amount itself.
    return [count, total, mean] if window_s >= MEAN_FROM_S else [count, total]


def _distinct_specs(windows_s: tuple[int, ...]) -> list[FeatureSpec]:
    pairs = [(attribute, window) for attribute in PLURAL for window in windows_s]
    return [
        distinct_spec(*pair) for pair in [("city", CITY_WINDOW_S), *(p for p in pairs if p != ("city", CITY_WINDOW_S))]
    ]


def distinct_spec(attribute: str, window_s: int) -> FeatureSpec:
    """The feature that counts the distinct values of ``attribute``; missing values do not count."""
    plural, words = PLURAL[attribute], window_words(window_s)
    return FeatureSpec(
        f"distinct_{plural}_{window_name(window_s)}",
        plural,
        _NEVER,
        window_s,
        f"{{:,.0f}} different {plural} in {words}",
    )


def _profile_specs(profile_s: int, money: str) -> list[FeatureSpec]:
    window, words = window_name(profile_s), window_words(profile_s)
    return [
        FeatureSpec(
            f"sum_amount_same_category_{window}",
            money,
            "no category given",
            profile_s,
            f"{{:,.2f}} {money} spent in this category in {words}",
        ),
        FeatureSpec(
            f"count_same_amount_{window}",
            "earlier payments",
            _NEVER,
            profile_s,
            f"{{:,.0f}} earlier payments of the very same amount in {words}",
        ),
    ]


def _movement_specs(horizon_s: int) -> list[FeatureSpec]:
    unlocated = "this payment or all earlier ones have no coordinates"
    return [
        FeatureSpec("gap_s", "s", "no earlier payment is known", horizon_s, "{:,.0f} s after the payment before"),
        FeatureSpec("distance_km", "km", unlocated, horizon_s, "{:,.0f} km from the last located payment"),
        FeatureSpec("speed_kmh", "km/h", unlocated, horizon_s, "travel at {:,.0f} km/h since the last located payment"),
    ]


def _calendar_specs() -> list[FeatureSpec]:
    return [
        FeatureSpec("hour", "h, payer's clock", _NEVER, 0, "at {:02.0f} h on the payer's clock"),
        FeatureSpec("weekday", "0 = Monday", _NEVER, 0, "on day {:.0f} of the week, Monday being 0"),
        FeatureSpec("is_weekend", _YES_NO, _NEVER, 0, "at the weekend: {yes_no}"),
        FeatureSpec("is_night", _YES_NO, _NEVER, 0, "at night, 22 h to 6 h on the payer's clock: {yes_no}"),
    ]
