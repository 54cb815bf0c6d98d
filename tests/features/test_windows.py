"""Windows by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.windows import window_name, window_words


@pytest.mark.parametrize(("seconds", "name", "words"), [
    (1, "1s", "1 s"),
    (45, "45s", "45 s"),
    (60, "1m", "1 min"),
    (90, "90s", "90 s"),
    (300, "5m", "5 min"),
    (3_600, "1h", "1 h"),
    (5_400, "90m", "90 min"),
    (86_400, "24h", "24 h"),
    (90_000, "25h", "25 h"),
    (172_800, "2d", "2 days"),
    (604_800, "7d", "7 days"),
    (2_592_000, "30d", "30 days"),
])
def test_a_window_is_named_in_its_largest_whole_unit_and_a_day_in_hours(seconds: int, name: str, words: str) -> None:
    assert (window_name(seconds), window_words(seconds)) == (name, words)


@given(st.integers(1, 10**8))
def test_a_name_gives_its_seconds_back_so_no_two_windows_share_one(seconds: int) -> None:
    name = window_name(seconds)
    assert int(name[:-1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[name[-1]] == seconds
