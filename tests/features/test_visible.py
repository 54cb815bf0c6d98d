"""Who sees whom: payments drawn by event time (the column) and arrival (the digit), one letter an id.

The horizon is 10 columns, the lookahead 5. A capital letter is refused as a duplicate.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FeatureSet
from features.kernel import compute
from features.visible import _range_min
from tests.features import oracle
from tests.features.builders import NOON_MS, to_heads
from tests.features.oracle import Payment

COLUMN_S = 60
HORIZON_S, LOOKAHEAD_S = 10 * COLUMN_S, 5 * COLUMN_S
CHOSEN = FeatureSet(HORIZON_S, (HORIZON_S,), (HORIZON_S,), HORIZON_S)
COUNT = CHOSEN.names.index("count_10m")
SUM = CHOSEN.names.index("sum_amount_10m")

PICTURES: list[tuple[str, list[int | None]]] = [
    # in order
    ("a0b1c2", [1, 2, 3]),
    ("a0.......b1", [1, 2]),
    ("a0........b1", [1, 1]),  # exactly a horizon later is too late to see it
    ("a0......b1c2", [1, 2, 2]),
    # out of order: c counts what arrived before it, and so does everybody else
    ("a1b0", [1, 1]),
    ("a0c2b1", [1, 2, 2]),
    ("a2b0c1", [1, 2, 1]),
    ("c2a0b1d3", [1, 2, 1, 4]),
    ("d3c2b1a0", [1, 1, 1, 1]),
    # the same id again, later in time
    ("a0A1", [1, None]),
    ("a0A1b2", [1, None, 2]),
    ("a0A1A2b3", [1, None, None, 2]),
    ("a0.......A1b2", [1, None, 2]),  # b no longer sees the first, but still the second
    ("a0........a1b2", [1, 1, 2]),  # a horizon later the id may be used again
    ("a0.......A1.......A2", [1, None, None]),  # refused for the sake of one that was refused itself
    # the same id again, earlier in time
    ("A1a0", [1, None]),
    ("A1.a0", [1, None]),
    ("A1...a0", [1, None]),
    ("a1....a0", [1, 1]),  # further ahead than any record can be
    ("A1a0b2", [1, None, 2]),
    ("b3A1a0c2", [1, None, 2, 1]),
    ("A1b2a0c3", [1, None, 2, 3]),  # for b, who is before the first, only the second has happened
    ("a0A1d2D3b4.c5", [1, None, 2, None, 3, 4]),  # c no longer sees the first a, and so the second
    ("a0A1d2D3b4c5", [1, None, 2, None, 3, 4]),  # likewise on the edge of the horizon
    # others between them
    ("a0b1A2c3", [1, 2, None, 3]),
    ("a0A2b1c3", [1, 2, None, 3]),
]


def drawn(picture: str, user: str = "u") -> list[Payment]:
    """``a0..b1`` is id a, arriving first, and four columns later id b, arriving second."""
    return [
        Payment(letter.lower(), user, int(picture[at + 1]), NOON_MS + at * COLUMN_S * 1000, 100)
        for at, letter in enumerate(picture) if letter.isalpha()
    ]


def outcome(payments: list[Payment]) -> dict[int, int | None]:
    """By arrival: how many payments each one counts, itself included; None where it is a duplicate."""
    user, heads = to_heads(payments)
    found = compute(user, heads, np.ones(len(payments), bool), CHOSEN, LOOKAHEAD_S * 1000)
    counts = dict(zip(found.rows.tolist(), found.matrix[:, COUNT].astype(int).tolist(), strict=True))
    assert sorted([*counts, *found.duplicates.tolist()]) == list(range(len(payments)))
    return {payment.arrival: counts.get(at) for at, payment in enumerate(payments)}


@pytest.mark.parametrize(("picture", "counts"), PICTURES)
def test_everybody_counts_the_first_arrivals_before_it_in_time_and_arrival(
    picture: str, counts: list[int | None]
) -> None:
    found = outcome(drawn(picture))
    assert [found[arrival] for arrival in range(len(counts))] == counts


@pytest.mark.parametrize(("picture", "counts"), PICTURES)
def test_the_pictures_show_duplicates_in_capitals(picture: str, counts: list[int | None]) -> None:
    capitals = {int(picture[at + 1]) for at, letter in enumerate(picture) if letter.isupper()}
    assert capitals == {arrival for arrival, count in enumerate(counts) if count is None}


def at_once(*ids_and_arrivals: tuple[str, int]) -> list[Payment]:
    return [Payment(name, "u", arrival, NOON_MS, 100) for name, arrival in ids_and_arrivals]


def test_payments_of_one_instant_are_seen_in_order_of_arrival() -> None:
    assert outcome(at_once(("a", 0), ("b", 1), ("c", 2))) == {0: 1, 1: 2, 2: 3}
    assert outcome(at_once(("c", 2), ("a", 0), ("b", 1))) == {0: 1, 1: 2, 2: 3}


def test_a_record_sent_twice_in_one_instant_counts_once() -> None:
    assert outcome(at_once(("a", 0), ("a", 1), ("b", 2), ("a", 3))) == {0: 1, 1: None, 2: 2, 3: None}


@pytest.mark.parametrize(("ahead_ms", "is_dead"), [(LOOKAHEAD_S * 1000, True), (LOOKAHEAD_S * 1000 + 1, False)])
def test_a_first_arrival_may_be_ahead_by_the_lookahead_and_no_more(ahead_ms: int, is_dead: bool) -> None:
    found = outcome([Payment("a", "u", 0, NOON_MS + ahead_ms, 100), Payment("a", "u", 1, NOON_MS, 100)])
    assert (found[1] is None) == is_dead


@pytest.mark.parametrize(("behind_ms", "is_dead"), [(HORIZON_S * 1000 - 1, True), (HORIZON_S * 1000, False)])
def test_a_first_arrival_may_be_behind_by_less_than_the_horizon(behind_ms: int, is_dead: bool) -> None:
    found = outcome([Payment("a", "u", 0, NOON_MS, 100), Payment("a", "u", 1, NOON_MS + behind_ms, 100)])
    assert (found[1] is None) == is_dead


def test_users_share_neither_ids_nor_history() -> None:
    payments = [Payment("a", user, arrival, NOON_MS + arrival, 100) for arrival, user in enumerate("uvwuvw")]
    assert outcome(payments) == {0: 1, 1: 1, 2: 1, 3: None, 4: None, 5: None}


def test_users_out_of_order_do_not_disturb_each_other() -> None:
    pictures = ["a0b1c2", "a2b0c1", "A1a0b2", "d3c2b1a0", "a0........a1b2"]
    alone = [outcome(drawn(picture)) for picture in pictures]
    everyone = [p for number, picture in enumerate(pictures) for p in drawn(picture, user=f"u{number}")]
    user, heads = to_heads(everyone)
    shuffled = np.random.default_rng(0).permutation(len(everyone))
    found = compute(user[shuffled], heads[shuffled], np.ones(len(user), bool), CHOSEN, LOOKAHEAD_S * 1000)
    counts = dict(zip(shuffled[found.rows].tolist(), found.matrix[:, COUNT].tolist(), strict=True))
    assert counts == {
        at: alone[int(p.user[1:])][p.arrival] for at, p in enumerate(everyone) if alone[int(p.user[1:])][p.arrival]
    }


PAYMENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 25)), min_size=1, max_size=14)


@settings(max_examples=300, deadline=None)
@given(rows=PAYMENTS, shuffle=st.randoms(use_true_random=False), new_from=st.integers(0, 5))
def test_any_mixture_of_repeats_and_disorder_is_seen_as_written_down_in_the_oracle(
    rows: list[tuple[str, int]], shuffle: st.DataObject, new_from: int
) -> None:
    arrivals = list(range(len(rows)))
    shuffle.shuffle(arrivals)  # type: ignore[attr-defined]
    payments = [
        Payment(name, "u", arrival, NOON_MS + at * COLUMN_S * 1000, 2**arrival)
        for arrival, (name, at) in zip(arrivals, rows, strict=True)
    ]
    user, heads = to_heads(payments)
    new = np.array([p.arrival >= new_from for p in payments])
    found = compute(user, heads, new, CHOSEN, LOOKAHEAD_S * 1000)
    sums = dict(zip(found.rows.tolist(), np.rint(found.matrix[:, SUM] * 100).astype(int).tolist(), strict=True))
    for at, payment in enumerate(payments):
        if new[at] and oracle.is_duplicate(payment, payments, HORIZON_S, LOOKAHEAD_S * 1000):
            assert at in found.duplicates
        elif new[at]:
            seen = oracle.visible(payment, payments, HORIZON_S)
            assert sums[at] == sum(p.cents for p in seen)  # powers of two: the sum tells who was seen
    assert len(sums) + len(found.duplicates) == new.sum()


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.integers(0, 99), min_size=1, max_size=40), data=st.data())
def test_the_minimum_of_any_range_is_found(values: list[int], data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(values) - 1))
    high = data.draw(st.integers(low + 1, len(values)))
    found = _range_min(np.array(values), np.array([low, 0]), np.array([high, len(values)]))
    assert found.tolist() == [min(values[low:high]), min(values)]
