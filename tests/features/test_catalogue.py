"""The feature list: its names, its hash, what it refuses, and what it says."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FeatureSet, FeatureSpec
from features.errors import FeatureSetError

DEFAULT = FeatureSet()
MONTH_S = 30 * 86_400
WINDOWS = st.sets(st.integers(1, 200_000), min_size=1, max_size=5).map(lambda windows: tuple(sorted(windows)))


@pytest.mark.parametrize("name", [
    "amount_base", "log_amount", "amount_ratio_24h", "amount_zscore_24h", "is_round_amount", "is_tiny_amount",
    *(f"{family}_{window}" for family in ("count", "sum_amount") for window in ("1m", "5m", "1h", "24h")),
    *(f"distinct_{plural}_{window}" for plural in ("merchants", "cities", "countries", "devices", "cards", "categories")
      for window in ("1h", "24h")),
    "distinct_cities_1m", "sum_amount_same_category_24h", "count_same_amount_24h", "gap_s", "distance_km", "speed_kmh",
    "new_merchant", "new_device", "new_city", "new_country", "hour", "weekday", "is_weekend", "is_night", "history_s",
])
def test_a_promised_feature_is_in_the_default_list(name: str) -> None:
    assert DEFAULT.spec(name).name == name


def test_names_are_built_from_the_windows() -> None:
    chosen = FeatureSet(MONTH_S, (30, 604_800), (5_400,), MONTH_S)
    assert [name for name in chosen.names if name.startswith(("count_", "sum_"))] == [
        "count_30s", "sum_amount_30s", "count_7d", "sum_amount_7d", "sum_amount_same_category_30d",
        "count_same_amount_30d",
    ]
    assert {"distinct_cities_1m", "distinct_cities_90m", "distinct_cards_90m", "amount_ratio_30d"} <= set(chosen.names)
    assert "mean_amount_7d" in chosen.names
    assert "mean_amount_30s" not in chosen.names


@settings(max_examples=100, deadline=None)
@given(windows=WINDOWS, distinct=WINDOWS, profile=st.integers(1, 200_000))
def test_no_name_stands_twice_whatever_the_windows(
    windows: tuple[int, ...], distinct: tuple[int, ...], profile: int
) -> None:
    names = FeatureSet(200_000, windows, distinct, profile).names
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


@pytest.mark.parametrize("change", [
    {"horizon_s": 86_401}, {"windows_s": (60, 300, 86_400)}, {"windows_s": (60, 300, 3_600, 86_399)},
    {"distinct_windows_s": (86_400,)}, {"profile_s": 3_600}, {"base_currency": "EUR"},
])
def test_the_hash_changes_with_everything_that_changes_a_number(change: dict[str, Any]) -> None:
    assert replace(DEFAULT, **change).hash != DEFAULT.hash


def test_the_hash_is_that_of_an_equal_list() -> None:
    assert FeatureSet().hash == DEFAULT.hash
    assert re.fullmatch("[0-9a-f]{12}", DEFAULT.hash)


def test_the_hash_changes_when_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.catalogue.KERNEL_VERSION", 10**6)
    assert FeatureSet().hash != DEFAULT.hash


@pytest.mark.parametrize(("change", "named"), [
    ({"windows_s": (60, 3_601)}, ["count_3601s", "sum_amount_3601s"]),
    ({"distinct_windows_s": (7_200,)}, ["distinct_merchants_2h", "distinct_cities_2h"]),
    ({"profile_s": 7_200}, ["amount_ratio_2h", "amount_zscore_2h", "sum_amount_same_category_2h"]),
])
def test_a_feature_that_looks_back_further_than_the_horizon_is_refused_by_name(
    change: dict[str, Any], named: list[str]
) -> None:
    short = {"horizon_s": 3_600, "windows_s": (60, 3_600), "distinct_windows_s": (3_600,), "profile_s": 3_600}
    FeatureSet(**short)
    with pytest.raises(FeatureSetError, match="the horizon is 3600 s") as refused:
        FeatureSet(**short | change)
    assert [name for name in named if name not in refused.value.message] == []
    assert "features.horizon_s" in refused.value.fix


def test_the_horizon_must_reach_over_the_minute_in_which_cities_are_counted() -> None:
    with pytest.raises(FeatureSetError, match="distinct_cities_1m"):
        FeatureSet(59, (10,), (10,), 10)


@pytest.mark.parametrize("windows", [(), (0,), (-60, 60), (60, 60), (300, 60)])
@pytest.mark.parametrize("field", ["windows_s", "distinct_windows_s"])
def test_windows_must_be_positive_and_rise(field: str, windows: tuple[int, ...]) -> None:
    with pytest.raises(FeatureSetError, match="must be positive, ascending and distinct"):
        FeatureSet(**{field: windows})


@pytest.mark.parametrize("profile_s", [0, -1])
def test_a_profile_must_reach_back_at_all(profile_s: int) -> None:
    with pytest.raises(FeatureSetError, match="must be positive"):
        FeatureSet(profile_s=profile_s)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(FeatureSetError, match="no feature 'count_2m'") as refused:
        DEFAULT.spec("count_2m")
    assert "count_1m" in refused.value.fix


@pytest.mark.parametrize("spec", FeatureSet(MONTH_S, base_currency="JPY").specs, ids=lambda spec: spec.name)
def test_every_value_can_be_said(spec: FeatureSpec) -> None:
    for value in (0.0, -0.0, 1.0, -1.0, 0.4999, 1e-12, 86_400.0, 1e15, 1e300, math.inf, -math.inf):
        said = spec.describe(value)
        assert said
        assert not set(said) & set("{}")
    assert spec.describe(math.nan) == spec.null_meaning
    assert spec.unit
    assert 0 <= spec.history_s <= MONTH_S


@pytest.mark.parametrize(("name", "value", "said"), [
    ("count_1m", 12.0, "12 payments in 1 min"),
    ("sum_amount_24h", 1234.5, "1,234.50 USD spent in 24 h"),
    ("distinct_cities_1h", 3.0, "3 different cities in 1 h"),
    ("amount_ratio_24h", 8.25, "amount is 8.2 times this user's mean of 24 h"),
    ("amount_zscore_24h", 3.0, "amount is +3.0 standard deviations from this user's mean of 24 h"),
    ("speed_kmh", 9_000.4, "travel at 9,000 km/h since the last located payment"),
    ("new_device", 1.0, "first payment with this device: yes"),
    ("is_night", 0.0, "at night, 22 h to 6 h on the payer's clock: no"),
    ("new_merchant", math.nan, "no merchant given"),
    ("gap_s", math.nan, "no earlier payment is known"),
])
def test_a_value_is_said_in_an_analysts_words(name: str, value: float, said: str) -> None:
    assert DEFAULT.spec(name).describe(value) == said
