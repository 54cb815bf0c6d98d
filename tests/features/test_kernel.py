"""The kernel against the oracle, on histories with ties, repeats, exact edges and arrivals out of order."""

from __future__ import annotations

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
LOOKAHEAD_MS = 3_900_000


def random_payments(seed: int, n: int = 120) -> list[Payment]:
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
            event_ms=int(rng.choice(instants) + (0 if rng.random() < 0.5 else rng.integers(90_000_000))),
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


def kernel_rows(payments: list[Payment], new: np.ndarray | None = None) -> tuple[dict[int, np.ndarray], set[int]]:
    user, heads = to_heads(payments)
    new = np.ones(len(payments), bool) if new is None else new
    result = compute(user, heads, new, FEATURES, LOOKAHEAD_MS)
    return dict(zip(result.rows.tolist(), result.matrix, strict=True)), set(result.duplicates.tolist())


@pytest.mark.parametrize("seed", range(12))
def test_every_feature_equals_the_obvious_definition(seed: int) -> None:
    payments = random_payments(seed)
    rows, duplicates = kernel_rows(payments)
    for at, payment in enumerate(payments):
        assert (at in duplicates) == oracle.is_duplicate(payment, payments, 86_400, LOOKAHEAD_MS)
        if at not in duplicates:
            wanted = oracle.features(payment, payments, FEATURES)
            assert set(wanted) == set(FEATURES.names)
            np.testing.assert_allclose(rows[at], [wanted[name] for name in FEATURES.names], rtol=1e-9, atol=1e-6)
    assert set(rows) | duplicates == set(range(len(payments)))


@pytest.mark.parametrize("seed", range(4))
def test_features_do_not_depend_on_where_batches_end(seed: int) -> None:
    payments = sorted(random_payments(seed), key=lambda p: p.arrival)
    whole, dead = kernel_rows(payments)
    for cut in (1, 17, 60, 119):
        new = np.arange(len(payments)) >= cut
        before, dead_before = kernel_rows(payments[:cut])
        after, dead_after = kernel_rows(payments, new)
        assert dead == dead_before | dead_after
        for at, row in (before | after).items():
            assert row.tobytes() == whole[at].tobytes()


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


def test_sums_stay_exact_for_the_largest_amounts() -> None:
    largest = 2**45 - 1
    payments = [Payment(f"t{i}", "u", i, NOON_MS + i, largest) for i in range(1000)]
    rows, _ = kernel_rows(payments)
    assert rows[999][FEATURES.names.index("sum_amount_24h")] == largest * 1000 / 100
    assert rows[999][FEATURES.names.index("amount_zscore_24h")] == 0.0


def test_an_empty_batch_has_no_features() -> None:
    rows, duplicates = kernel_rows([])
    assert (rows, duplicates) == ({}, set())
