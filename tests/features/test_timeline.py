"""Windows over events in order of (user, event time, arrival), by hand and against loops.

    seconds     0   1   2   3   4   5   6       user 0: a b b . a        user 1: b a
    user 0      a   b   b           a
    user 1      b                       a
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.timeline import SquareSums, Timeline, running_sum

USER = np.array([0, 0, 0, 0, 1, 1])
AT_MS = np.array([0, 1_000, 2_000, 4_000, 50_000, 56_000])  # user 1 starts 50 s later; only his own gaps matter
VALUE = np.array([1, 2, 2, 1, 2, 1], np.uint64)  # a, b, b, a, b, a
EVERY = np.arange(6)
TIMELINE = Timeline.of(USER, AT_MS, 10_000)

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 3)), max_size=30).map(sorted)


@pytest.mark.parametrize(("window_ms", "start"), [
    (999, [0, 1, 2, 3, 4, 5]),
    (1_000, [0, 1, 2, 3, 4, 5]),  # the edge: an event exactly a window older is out
    (1_001, [0, 0, 1, 3, 4, 5]),
    (2_001, [0, 0, 0, 2, 4, 5]),
    (4_000, [0, 0, 0, 1, 4, 5]),
    (4_001, [0, 0, 0, 0, 4, 5]),
    (6_000, [0, 0, 0, 0, 4, 5]),
    (10_000, [0, 0, 0, 0, 4, 4]),
])
def test_a_window_begins_after_the_event_exactly_its_length_ago(window_ms: int, start: list[int]) -> None:
    assert TIMELINE.window_start(window_ms, EVERY).tolist() == start


@pytest.mark.parametrize(("window_ms", "end"), [
    (1_000, [1, 2, 3, 4, 5, 6]),
    (1_001, [2, 3, 3, 4, 5, 6]),
    (4_000, [3, 4, 4, 4, 5, 6]),
    (4_001, [4, 4, 4, 4, 5, 6]),
    (10_000, [4, 4, 4, 4, 6, 6]),
])
def test_an_event_is_in_the_windows_of_those_within_its_length_and_of_no_other_user(
    window_ms: int, end: list[int]
) -> None:
    assert TIMELINE.window_end(window_ms).tolist() == end


def test_events_with_one_value_are_linked_within_their_user() -> None:
    repeats = TIMELINE.repeats(VALUE)
    assert repeats.previous.tolist() == [-1, -1, 1, 0, -1, -1]
    assert repeats.following.tolist() == [3, 2, 6, 6, 6, 6]
    assert repeats.order.tolist() == [0, 3, 1, 2, 5, 4]
    assert repeats.code.tolist() == [0, 0, 1, 1, 2, 3]


@pytest.mark.parametrize(("window_ms", "distinct"), [
    (1_000, [1, 1, 1, 1, 1, 1]),
    (2_000, [1, 2, 1, 1, 1, 1]),
    (2_001, [1, 2, 2, 2, 1, 1]),
    (10_000, [1, 2, 2, 2, 1, 2]),
])
def test_distinct_values_are_counted_once_however_often_they_come(window_ms: int, distinct: list[int]) -> None:
    following, end = TIMELINE.repeats(VALUE).following, TIMELINE.window_end(window_ms)
    assert TIMELINE.distinct(VALUE > 0, following, end).tolist() == distinct
    assert TIMELINE.distinct(VALUE > 1, following, end).tolist() == [
        min(count, 1) if seen else 0 for count, seen in zip(distinct, b_in_window(window_ms), strict=True)
    ]


def b_in_window(window_ms: int) -> list[bool]:
    return [any(v == 2 and u == user and at - window_ms < t <= at for u, t, v in zip(USER, AT_MS, VALUE, strict=True))
            for user, at in zip(USER, AT_MS, strict=True)]


@pytest.mark.parametrize(("window_ms", "n_same"), [
    (1_000, [1, 1, 1, 1, 1, 1]),
    (1_001, [1, 1, 2, 1, 1, 1]),
    (4_000, [1, 1, 2, 1, 1, 1]),
    (4_001, [1, 1, 2, 2, 1, 1]),
    (10_000, [1, 1, 2, 2, 1, 1]),
])
def test_events_of_the_same_value_are_found_within_the_window(window_ms: int, n_same: list[int]) -> None:
    low, high = TIMELINE.among_repeats(TIMELINE.repeats(VALUE), window_ms, EVERY)
    assert (high - low).tolist() == n_same


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, window=st.integers(1, 15))
def test_every_question_has_the_answer_of_a_loop(events: list[tuple[int, int, int]], window: int) -> None:
    user, at, value = (np.array(column, np.int64) for column in (zip(*events, strict=True) if events else ([], [], [])))
    timeline, values, every = Timeline.of(user, at, 15), value.astype(np.uint64), np.arange(len(user))
    repeats = timeline.repeats(values)
    seen = [[j for j in range(i + 1) if user[j] == user[i] and at[j] > at[i] - window] for i in every]
    assert timeline.window_start(window, every).tolist() == [js[0] for js in seen]
    low, high = timeline.among_repeats(repeats, window, every)
    assert (high - low).tolist() == [sum(value[j] == value[i] for j in js) for i, js in zip(every, seen, strict=True)]
    distinct = timeline.distinct(values > 0, repeats.following, timeline.window_end(window))
    assert distinct.tolist() == [len({value[j] for j in js} - {0}) for js in seen]


def test_users_may_have_any_ascending_numbers() -> None:
    apart = Timeline.of(np.array([3, 3, 3, 3, 700, 700]), AT_MS, 10_000)
    assert apart.window_start(10_000, EVERY).tolist() == [0, 0, 0, 0, 4, 4]


def test_a_running_sum_gives_the_sum_of_any_range_even_after_it_wrapped_around() -> None:
    sums = running_sum(np.array([2**62, 2**62, 2**62, 5, 7]))
    assert (sums[[5, 2]] - sums[[3, 1]]).tolist() == [12, 2**62]


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.integers(0, 2**45 - 1), min_size=1, max_size=50), data=st.data())
def test_sums_of_squares_are_those_of_whole_numbers(values: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    found = SquareSums(np.array(values)).between(np.array([start]), np.array([stop]))
    assert found[0] == pytest.approx(sum(value * value for value in values[start:stop]), rel=1e-15)


def test_a_sum_of_squares_holds_as_many_of_the_largest_as_promised() -> None:
    largest, n = 2**45 - 1, 2**17
    found = SquareSums(np.full(3 * n, largest)).between(np.array([n]), np.array([2 * n]))
    assert found[0] == pytest.approx(n * largest**2, rel=1e-15)
