"""The kernel against the oracle, on histories with ties, repeats, exact edges and arrivals out of order."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FeatureSet
from features.kernel import compute
from tests.features import oracle
from tests.features.builders import NOON_MS, to_heads
from tests.features.oracle import Payment

FEATURES = FeatureSet(horizon_s=86_400)
MONTHLY = FeatureSet(2_592_000, (60, 604_800, 2_592_000), (604_800, 2_592_000), 604_800)
SHORT = FeatureSet(3_600, (1, 60), (60, 3_600), 60)
LOOKAHEAD_MS = 3_900_000


def random_payments(seed: int, n: int = 120, spread_ms: int = 90_000_000) -> list[Payment]:
    """Few users, values and instants, so that ties, repeats and exact window edges are common."""
    rng = np.random.default_rng(seed)
    instants = NOON_MS + np.array([0, 1, 59_999, 60_000, 60_001, 300_000, 3_600_000, 7_200_000, 86_399_999, 86_400_000])

    def maybe(prefix: str, k: int) -> str | None:
        return None if rng.random() < 0.2 else f"{prefix}{rng.integers(k)}"

    arrivals = rng.permutation(n) * 3
    return [
        Payment(
            id=f"t{rng.integers(n * 3) if rng.random() < 0.3 else n * 10 + i}",
            user=f"u{rng.integers(3)}",
            arrival=int(arrivals[i] if rng.random() < 0.2 else i * 3 + 1),
            event_ms=int(rng.choice(instants) + (0 if rng.random() < 0.5 else rng.integers(spread_ms))),
            cents=int(rng.choice([0, 100, 199, 1000, 5000, 123_456])),
            offset_min=int(rng.choice([-330, 0, 60])),
            merchant_id=maybe("m", 4),
            merchant_category=maybe("c", 2),
            city=maybe("city", 3),
            country=maybe("x", 2),
            device_id=maybe("d", 2),
            card_id=maybe("k", 2),
            place=None if rng.random() < 0.3 else (float(rng.integers(-80, 80)), float(rng.integers(-170, 170))),
        )
        for i in range(n)
    ]


def kernel_rows(
    payments: list[Payment], new: np.ndarray | None = None, chosen: FeatureSet = FEATURES
) -> tuple[dict[int, np.ndarray], set[int]]:
    user, heads = to_heads(payments)
    new = np.ones(len(payments), bool) if new is None else new
    result = compute(user, heads, new, chosen, LOOKAHEAD_MS)
    return dict(zip(result.rows.tolist(), result.matrix, strict=True)), set(result.duplicates.tolist())


def value_of(name: str, row: np.ndarray) -> float:
    return float(row[FEATURES.names.index(name)])


def assert_as_the_oracle_says(row: np.ndarray, payment: Payment, payments: list[Payment], chosen: FeatureSet) -> None:
    wanted = oracle.features(payment, payments, chosen)
    assert set(wanted) == set(chosen.names)
    np.testing.assert_allclose(row, [wanted[name] for name in chosen.names], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("chosen", [FEATURES, MONTHLY, SHORT], ids=lambda chosen: f"horizon {chosen.horizon_s} s")
@pytest.mark.parametrize("seed", range(8))
def test_every_feature_equals_the_obvious_definition(seed: int, chosen: FeatureSet) -> None:
    payments = random_payments(seed, spread_ms=3_000_000_000 if chosen is MONTHLY else 90_000_000)
    rows, duplicates = kernel_rows(payments, chosen=chosen)
    for at, payment in enumerate(payments):
        assert (at in duplicates) == oracle.is_duplicate(payment, payments, chosen.horizon_s, LOOKAHEAD_MS)
        if at not in duplicates:
            assert_as_the_oracle_says(rows[at], payment, payments, chosen)
    assert set(rows) | duplicates == set(range(len(payments)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.integers(1, 79), max_size=6))
def test_features_do_not_depend_on_where_micro_batches_end(seed: int, cuts: set[int]) -> None:
    payments = sorted(random_payments(seed, 80), key=lambda p: p.arrival)
    whole, dead = kernel_rows(payments)
    served: dict[int, np.ndarray] = {}
    refused: set[int] = set()
    for start, end in pairwise([0, *sorted(cuts), len(payments)]):
        rows, duplicates = kernel_rows(payments[:end], np.arange(end) >= start)
        assert not served.keys() & rows.keys()
        served, refused = served | rows, refused | duplicates
    assert refused == dead
    assert {at: row.tobytes() for at, row in served.items()} == {at: row.tobytes() for at, row in whole.items()}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cut_ms=st.integers(0, 90_000_000))
def test_nothing_after_an_instant_changes_a_feature_at_or_before_it(seed: int, cut_ms: int) -> None:
    payments = random_payments(seed, 60)
    cut = NOON_MS + cut_ms
    other = random_payments(seed + 1, 60)
    changed = [p for p in payments if p.event_ms <= cut] + [p for p in other if p.event_ms > cut]
    rows, dead = kernel_rows(payments)
    rows_changed, dead_changed = kernel_rows(changed)
    early = [at for at, p in enumerate(payments) if p.event_ms <= cut]
    for at_changed, at in enumerate(early):
        if at in rows and at_changed in rows_changed:
            assert rows[at].tobytes() == rows_changed[at_changed].tobytes()


def test_an_event_leaves_the_hour_exactly_one_hour_later() -> None:
    first = Payment("a", "u", 0, NOON_MS, 100)
    inside = Payment("b", "u", 1, NOON_MS + 3_599_999, 100)
    edge = Payment("c", "u", 2, NOON_MS + 3_600_000, 100)
    rows, _ = kernel_rows([first, inside, edge])
    count_1h = FEATURES.names.index("count_1h")
    assert [rows[at][count_1h] for at in range(3)] == [1, 2, 2]


def test_a_payment_does_not_count_one_that_arrived_after_it() -> None:
    late = Payment("a", "u", 9, NOON_MS, 100)
    early = Payment("b", "u", 1, NOON_MS + 1000, 100)
    after = Payment("c", "u", 10, NOON_MS + 2000, 100)
    rows, _ = kernel_rows([late, early, after])
    count_1m = FEATURES.names.index("count_1m")
    assert [rows[at][count_1m] for at in range(3)] == [1, 1, 3]


@pytest.mark.parametrize(("exponent", "minor", "is_round"), [
    (2, 1_000, 1), (2, 25_000, 1), (2, 1_001, 0), (2, 500, 0), (2, 0, 0),
    (0, 1_000, 1), (0, 500, 0), (3, 10_000, 1), (3, 1_000, 0), (4, 100_000, 1), (4, 10_000, 0),
])
def test_a_round_amount_is_whole_tens_of_its_currency_or_thousands_where_there_are_no_cents(
    exponent: int, minor: int, is_round: int
) -> None:
    user, heads = to_heads([Payment("a", "u", 0, NOON_MS, 100)])
    heads["exponent"], heads["amount_minor"] = exponent, minor
    assert value_of("is_round_amount", compute(user, heads, np.ones(1, bool), FEATURES).matrix[0]) == is_round


@pytest.mark.parametrize(("cents", "is_tiny"), [(0, 1), (199, 1), (200, 0), (201, 0)])
def test_a_tiny_amount_is_less_than_two(cents: int, is_tiny: int) -> None:
    rows, _ = kernel_rows([Payment("a", "u", 0, NOON_MS, cents)])
    assert value_of("is_tiny_amount", rows[0]) == is_tiny


def test_one_coordinate_alone_is_no_place() -> None:
    payments = [Payment(f"t{i}", "u", i, NOON_MS + i * 60_000, 100, place=(0.0, float(i))) for i in range(3)]
    user, heads = to_heads(payments)
    heads["longitude"][1] = np.nan
    matrix = compute(user, heads, np.ones(3, bool), FEATURES).matrix
    assert np.isnan([value_of("distance_km", matrix[at]) for at in (0, 1)]).all()
    assert value_of("distance_km", matrix[2]) == pytest.approx(2 * 6371.0088 * np.pi / 180)
    assert value_of("speed_kmh", matrix[2]) == pytest.approx(value_of("distance_km", matrix[2]) * 30)


def test_two_places_in_one_instant_are_travelled_between_in_a_second() -> None:
    rows, _ = kernel_rows([Payment(f"t{i}", "u", i, NOON_MS, 100, place=(0.0, float(i))) for i in range(2)])
    assert value_of("speed_kmh", rows[1]) == pytest.approx(value_of("distance_km", rows[1]) * 3_600)


def test_a_lonely_payment_has_no_past_and_says_so_with_nan_not_with_zero() -> None:
    rows, _ = kernel_rows([Payment("a", "u", 0, NOON_MS, 100)])
    missing = {name for name, value in zip(FEATURES.names, rows[0], strict=True) if np.isnan(value)}
    assert missing == {
        "amount_ratio_24h", "amount_zscore_24h", "sum_amount_same_category_24h", "gap_s", "distance_km", "speed_kmh",
        "new_merchant", "new_device", "new_city", "new_country",
    }
    assert value_of("history_s", rows[0]) == 0


def test_amounts_are_compared_in_the_base_currency() -> None:
    user, heads = to_heads([Payment(f"t{i}", "u", i, NOON_MS + i, 100, merchant_category="5411") for i in range(4)])
    heads["amount_minor"], heads["exponent"] = [1_000, 1_000, 5, 7], [2, 0, 2, 3]
    heads["amount_base_minor"] = [1_000, 650, 650, 2_600]
    matrix = compute(user, heads, np.ones(4, bool), FEATURES).matrix
    assert value_of("amount_base", matrix[1]) == 6.5
    assert value_of("sum_amount_1m", matrix[1]) == value_of("sum_amount_same_category_24h", matrix[1]) == 16.5
    assert value_of("count_same_amount_24h", matrix[2]) == 1
    assert value_of("amount_ratio_24h", matrix[3]) == pytest.approx(26.0 / ((10 + 6.5 + 6.5) / 3))


def test_a_base_currency_without_cents_gives_whole_units() -> None:
    yen = FeatureSet(base_currency="JPY")
    user, heads = to_heads([Payment("a", "u", 0, NOON_MS, 1_500)])
    row = compute(user, heads, np.ones(1, bool), yen).matrix[0]
    assert (value_of("amount_base", row), value_of("sum_amount_1m", row)) == (1_500, 1_500)


def test_one_earlier_payment_gives_no_standard_deviation_whatever_the_amounts() -> None:
    amounts = np.random.default_rng(1).integers(2**30, 2**45, 600)
    payments = [Payment(f"t{i}", f"u{i // 2}", i, NOON_MS + i, int(cents)) for i, cents in enumerate(amounts)]
    rows, _ = kernel_rows(payments)
    assert np.isnan([value_of("amount_zscore_24h", rows[at]) for at in range(600)]).all()


def test_sums_stay_exact_for_the_largest_amounts() -> None:
    largest = 2**45 - 1
    payments = [Payment(f"t{i}", "u", i, NOON_MS + i, largest) for i in range(1000)]
    rows, _ = kernel_rows(payments)
    assert rows[999][FEATURES.names.index("sum_amount_24h")] == largest * 1000 / 100
    assert rows[999][FEATURES.names.index("amount_zscore_24h")] == 0.0


def hyperactive(n: int, late_share: float, reused_share: float = 0.0) -> list[Payment]:
    """One user's payments within an hour, in order of time; some arrive up to ten minutes late."""
    rng = np.random.default_rng(5)
    at_ms = np.sort(rng.integers(0, 3_600_000, n))
    delay_ms = np.where(rng.random(n) < late_share, rng.integers(1, 600_000, n), 0)
    arrival = np.argsort(np.argsort(at_ms + delay_ms, kind="stable"))
    ids = np.where(rng.random(n) < reused_share, rng.integers(0, 10**6, n) % 20, np.arange(n) + 20)
    return [
        Payment(
            f"t{ids[i]}", "u", int(arrival[i]), NOON_MS + int(at_ms[i]), int(rng.integers(100, 90_000)),
            merchant_id=f"m{rng.integers(500)}", city=f"c{rng.integers(30)}", merchant_category=f"k{rng.integers(20)}",
            place=(float(rng.integers(-80, 80)), float(rng.integers(-170, 170))),
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(("n", "late_share", "reused_share"), [
    (20_000, 0.0, 0.0), (20_000, 0.05, 0.0), (20_000, 1.0, 0.0), (5_000, 0.05, 0.02), (4_000, 0.5, 0.5),
])
def test_a_hyperactive_user_is_exact_and_takes_seconds(n: int, late_share: float, reused_share: float) -> None:
    payments = hyperactive(n, late_share, reused_share)
    user, heads = to_heads(payments)
    start = time.perf_counter()
    found = compute(user, heads, np.ones(n, bool), FEATURES, LOOKAHEAD_MS)
    assert time.perf_counter() - start < 60  # 3 s and less with the machine to itself
    for place in np.linspace(0, len(found.rows) - 1, 6).astype(int):
        assert_as_the_oracle_says(found.matrix[place], payments[found.rows[place]], payments, FEATURES)


def test_what_is_hidden_may_be_worked_off_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    payments = hyperactive(400, late_share=0.5, reused_share=0.3)
    whole, _ = kernel_rows(payments)
    monkeypatch.setattr("features.hidden._MAX_HIDDEN", 7)
    parts, _ = kernel_rows(payments)
    assert {at: row.tobytes() for at, row in parts.items()} == {at: row.tobytes() for at, row in whole.items()}


def test_a_user_in_order_is_not_delayed_by_one_who_is_not() -> None:
    calm = [Payment(f"c{i}", "calm", i, NOON_MS + i, 100) for i in range(3)]
    hasty = [Payment("h0", "hasty", 9, NOON_MS, 100), Payment("h1", "hasty", 4, NOON_MS + 1, 100)]
    together, alone = kernel_rows(calm + hasty)[0], kernel_rows(calm)[0]
    assert all(together[at].tobytes() == alone[at].tobytes() for at in alone)


def test_an_empty_batch_has_no_features() -> None:
    rows, duplicates = kernel_rows([])
    assert (rows, duplicates) == ({}, set())
