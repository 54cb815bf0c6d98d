"""Who is over the limit: the kernel knows from whole histories, the crowd from what passes by, and they agree."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FeatureSet
from features.kernel import Features, compute
from features.limit import HOUR_MS, MAX_REMEMBERED, Crowd, FullHour, remembered
from tests.features.builders import NOON_MS, to_heads
from tests.features.oracle import Payment, is_duplicate

CHOSEN = FeatureSet(3_600, (60, 3_600), (3_600,), 3_600)
LOOKAHEAD_MS = 3_900_000
LIMIT = 3


def payment(arrival: int, at_s: float, name: str | None = None, user: str = "u") -> Payment:
    return Payment(name or f"t{arrival}", user, arrival, NOON_MS + round(at_s * 1000), 100)


def judged(payments: list[Payment], new: list[bool] | None = None) -> Features:
    user, heads = to_heads(payments)
    return compute(user, heads, np.array(new or [True] * len(payments)), CHOSEN, LOOKAHEAD_MS, LIMIT)


def over_the_limit(payments: list[Payment]) -> set[int]:
    """Arrivals that are refused, by the definition: one user, one hour, in order of arrival."""
    hours = defaultdict(list)
    for p in sorted(payments, key=lambda p: p.arrival):
        hours[p.user, p.event_ms // HOUR_MS].append(p.arrival)
    return {arrival for arrivals in hours.values() for arrival in arrivals[LIMIT:]}


def test_the_first_arrivals_of_an_hour_are_taken_and_the_last_of_them_is_told() -> None:
    found = judged([payment(arrival, arrival) for arrival in range(5)])
    assert found.rows.tolist() == [0, 1, 2]
    assert found.last_admitted.tolist() == [2]
    assert found.too_active.tolist() == [3, 4]


def test_the_order_of_arrival_decides_and_not_that_of_event_times() -> None:
    found = judged([payment(arrival, -arrival + 10) for arrival in range(4)])
    assert sorted(found.rows.tolist()) == [0, 1, 2]
    assert (found.last_admitted.tolist(), found.too_active.tolist()) == ([2], [3])


def test_the_hour_is_that_of_the_clock() -> None:
    found = judged([payment(arrival, at_s) for arrival, at_s in enumerate([-0.001, 0, 1, 3599.999, 3600])])
    assert found.rows.tolist() == [0, 1, 2, 3, 4]
    assert found.last_admitted.tolist() == [3]


def test_users_have_limits_of_their_own() -> None:
    found = judged([payment(arrival, arrival, user=user) for arrival, user in enumerate("uvuvuv")])
    assert len(found.rows) == 6
    assert found.last_admitted.tolist() == [4, 5]


def test_repeats_count_and_one_over_the_limit_is_no_duplicate() -> None:
    found = judged([payment(arrival, arrival, "same") for arrival in range(5)])
    assert found.rows.tolist() == [0]
    assert found.duplicates.tolist() == [1, 2]
    assert found.last_admitted.tolist() == [2]  # the user is told about, though this payment is refused
    assert found.too_active.tolist() == [3, 4]


def test_a_refused_payment_counts_for_nobody_and_is_nobodys_original() -> None:
    crowd = [payment(arrival, 3_599 - arrival, f"t{arrival}") for arrival in range(5)]
    found = judged([*crowd, payment(5, 3_600, "t4")])
    count_1h = CHOSEN.names.index("count_1h")
    assert sorted(found.too_active.tolist()) == [3, 4]
    assert found.matrix[found.rows == 5, count_1h] == [4]  # the three that were taken, and itself


def test_an_hour_is_judged_whole_although_the_horizon_cuts_it() -> None:
    early = [payment(arrival, arrival) for arrival in range(3)]  # out of sight for the last one
    late = [payment(3, 1_800, "over"), payment(4, 5_000)]
    found = judged([*early, *late], [False] * 4 + [True])
    assert found.matrix[0, CHOSEN.names.index("count_1h")] == 1


HISTORIES = st.lists(
    st.tuples(st.sampled_from("uv"), st.integers(-2_000, 9_000), st.sampled_from("abcdefgh")), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(rows=HISTORIES, cuts=st.sets(st.integers(1, 39), max_size=5), filtered=st.booleans(), chunk=st.integers(1, 9))
def test_any_micro_batches_give_what_the_whole_log_gives_with_the_crowd_filtered_or_not(
    rows: list[tuple[str, int, str]], cuts: set[int], filtered: bool, chunk: int
) -> None:
    log = [payment(arrival, at_s, name, user) for arrival, (user, at_s, name) in enumerate(rows)]
    whole = judged(log)
    over = over_the_limit(log)
    assert set(whole.too_active.tolist()) == over
    admitted = [p for p in log if p.arrival not in over]
    duplicates = {p.arrival for p in admitted if is_duplicate(p, admitted, CHOSEN.horizon_s, LOOKAHEAD_MS)}
    assert set(whole.duplicates.tolist()) == duplicates
    served, refused, told = streamed(log, cuts, filtered, chunk)
    assert refused == over
    expected = {at: row.tobytes() for at, row in zip(whole.rows.tolist(), whole.matrix, strict=True)}
    assert served == expected
    assert told == sorted(whole.last_admitted.tolist())


def streamed(
    log: list[Payment], cuts: set[int], filtered: bool, chunk: int
) -> tuple[dict[int, bytes], set[int], list[int]]:
    """Payments served, refused and told about, by micro-batches that remember full hours as the job does."""
    served: dict[int, bytes] = {}
    refused, told, state, full = set(), [], [], list[FullHour]()
    for start, end in pairwise([0, *sorted(cut for cut in cuts if cut < len(log)), len(log)]):
        arrived = log[start:end]
        dropped = dropped_by(Crowd(LIMIT, full), arrived, chunk) if filtered else set()
        refused |= dropped
        state += [p for p in arrived if p.arrival not in dropped]
        found = judged(state, [p.arrival >= start for p in state])
        served |= {state[at].arrival: row.tobytes() for at, row in zip(found.rows.tolist(), found.matrix, strict=True)}
        refused |= {state[at].arrival for at in found.too_active}
        last = [state[at] for at in found.last_admitted]
        told += [p.arrival for p in last if p.arrival >= start]
        full = remembered([*full, *(FullHour(p.user, p.event_ms // HOUR_MS, p.arrival) for p in last)], 3_600)
    return served, refused, sorted(told)


def dropped_by(crowd: Crowd, payments: list[Payment], chunk: int) -> set[int]:
    dropped: set[int] = set()
    for start in range(0, len(payments), chunk):
        part = payments[start : start + chunk]
        over = crowd.over(pa.array([p.user for p in part]), to_heads(part)[1], np.ones(len(part), bool))
        dropped |= {p.arrival for p, is_over in zip(part, over, strict=True) if is_over}
    return dropped


def test_a_batch_of_records_may_fill_an_hour_by_itself_and_the_next_ones_find_it_full() -> None:
    crowd = Crowd(LIMIT)
    assert dropped_by(crowd, [payment(arrival, arrival) for arrival in range(5)], 5) == {3, 4}
    assert dropped_by(crowd, [payment(5, 5), payment(6, 5, user="v"), payment(7, 3_605)], 3) == {5}


def test_an_invalid_record_neither_counts_nor_is_judged() -> None:
    _, heads = to_heads([payment(arrival, arrival) for arrival in range(5)])
    users = pa.array(["u", "u", "u", None, "u"])
    over = Crowd(LIMIT).over(users, heads, np.array([True, False, True, False, True]))
    assert not over.any()


@pytest.mark.parametrize(("hour", "max_age_s", "kept"), [(97, 7_200, True), (96, 7_200, False)])
def test_an_hour_is_forgotten_when_nothing_may_come_for_it_any_more(hour: int, max_age_s: int, kept: bool) -> None:
    newest = FullHour("u", 100, 7)
    assert remembered([FullHour("v", hour, 1), newest], max_age_s) == [newest] + [FullHour("v", hour, 1)] * kept


def test_no_more_than_so_many_full_hours_are_remembered_the_newest_ones() -> None:
    found = remembered([FullHour(f"u{at}", at % 10, at) for at in range(3 * MAX_REMEMBERED)], 86_400)
    assert len(found) == MAX_REMEMBERED
    assert {hour.hour for hour in found} == {9, 8, 7, 6}
