"""Which window answers for an event, and which events a micro-batch answers for: arithmetic, no Spark session.

    window k      [ . H . |------- new here -------| L ]
    window k+1                            [ . H . |------- new here -------| L ]
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features import event
from features.catalogue import FeatureSet
from features.parse import TICK_MS
from features.spark import ArrivedSince, HappenedBetween, History
from tests.features.builders import CONTRACT

DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def test_windows_are_four_horizons_long_and_overlap_by_horizon_and_lookahead_in_whole_hours() -> None:
    history = History.of(FeatureSet(), CONTRACT)
    assert (history.horizon_ms, history.lookahead_ms) == (DAY_MS, 3_900_000)
    assert (history.length_ms, history.slide_ms) == (4 * DAY_MS, 3 * DAY_MS - 2 * HOUR_MS)


@settings(max_examples=300, deadline=None)
@given(
    horizon_s=st.integers(60, 40 * 86_400), lookahead_s=st.integers(0, 40 * 86_400), event_ms=st.integers(0, 10**13)
)
@example(horizon_s=3_600, lookahead_s=60, event_ms=3_600_000)  # on the edge between two windows
def test_every_event_is_new_in_one_window_that_reaches_back_the_horizon_and_ahead_the_lookahead(
    horizon_s: int, lookahead_s: int, event_ms: int
) -> None:
    history = History(timedelta(seconds=horizon_s), timedelta(seconds=lookahead_s), max_per_hour=1_000)
    slide, length, horizon = history.slide_ms, history.length_ms, history.horizon_ms
    starts = [number * slide for number in range(event_ms // slide - 5, event_ms // slide + 2)]
    holding = [start for start in starts if start <= event_ms < start + length]
    (home,) = [start for start in holding if history.at_home(np.array([start]), np.array([event_ms]))[0]]
    assert home <= event_ms - horizon
    assert home <= event_ms // TICK_MS * TICK_MS  # by which Spark finds its windows
    assert event_ms + history.lookahead_ms < home + length
    assert home % HOUR_MS == length % HOUR_MS == 0  # so whoever is seen, his hour is there from end to end
    assert len(holding) <= 3  # so many times is an event kept


def test_new_is_what_arrived_since_the_start_of_the_micro_batch_in_its_own_partition() -> None:
    partitions, offsets = np.array([(0, 9), (0, 10), (1, 4), (1, 5), (2, 0)]).T
    heads = np.zeros(5, event.HEAD)
    heads["arrival"] = event.arrival(partitions, offsets)
    assert ArrivedSince((10, 5))(heads).tolist() == [False, True, False, True, True]


def test_a_stretch_of_history_holds_its_first_instant_and_not_its_last() -> None:
    heads = np.zeros(4, event.HEAD)
    heads["event_ms"] = [99, 100, 199, 200]
    assert HappenedBetween(100, 200)(heads).tolist() == [False, True, True, False]
