"""What an event may see: the first arrivals, no later than itself, of its user in ``(t - horizon, t]``.

Where arrival order and time order agree, that is simply the stretch of the timeline before the event. Where they do
not, or where one transaction id stands at several times, some of that stretch is hidden from it (features/hidden.py).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.event import Heads
from features.timeline import Ints, Timeline, changes, running_sum

Bools = NDArray[np.bool_]
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


class Duplicates(NamedTuple):
    """What a repeated transaction id makes of an event.

    ``dead``: an earlier arrival near in time has the id. ``redundant``: an earlier arrival has the id and the very same
    time, so no event ever counts this one. ``reused``: the id stands at several times, so who counts depends on who
    looks.
    """

    dead: Bools
    redundant: Bools
    reused: Bools


def find_duplicates(user: Ints, heads: Heads, horizon_ms: int, lookahead_ms: int) -> Duplicates:
    """Judge every event against the same id of the same user in ``(t - horizon, t + lookahead]``.

    ``lookahead_ms`` is how far ahead in time an earlier arrival can be (lateness plus skew), so a repeat with an
    earlier time than its original is found too.
    """
    n = len(user)
    dead, redundant, reused = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
    suspects = _suspects(user, heads["transaction_id"])
    if len(suspects) == 0:
        return Duplicates(dead, redundant, reused)
    ids, times, arrivals = (heads[name][suspects] for name in ("transaction_id", "event_ms", "arrival"))
    order = np.lexsort((arrivals, times, ids, user[suspects]))
    rows, times, arrivals = suspects[order], times[order], arrivals[order]
    new_id = changes(user[rows], heads["transaction_id"][rows])
    new_time = new_id | changes(times)
    redundant[rows] = ~new_time
    number = np.cumsum(new_id) - 1
    span = int(times.max() - times.min()) + horizon_ms + lookahead_ms + 2
    key = number * span + (times - times.min())
    low, high = np.searchsorted(key, key - horizon_ms, "right"), np.searchsorted(key, key + lookahead_ms, "right")
    dead[rows] = _range_min(arrivals, low, high) < arrivals
    reused[rows] = (np.bincount(number, weights=new_time) > 1)[number]
    return Duplicates(dead, redundant, reused)


def _suspects(user: Ints, ids: NDArray[np.uint64]) -> Ints:
    """Events whose id may stand twice for their user: few, and all that really do."""
    mixed = ids ^ (user.astype(np.uint64) * _MIX)
    ordered = np.sort(mixed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(mixed, twice)) if len(twice) else np.empty(0, np.int64)


def _range_min(values: Ints, low: Ints, high: Ints) -> Ints:
    """Minimum of ``values[low:high]`` for many ranges: a sparse table of minima over powers of two."""
    levels = [values]
    while 2 ** len(levels) <= len(values):
        half = 2 ** (len(levels) - 1)
        levels.append(np.minimum(levels[-1][:-half], levels[-1][half:]))
    level = np.log2(high - low).astype(np.int64)
    result = np.empty(len(low), values.dtype)
    for depth in np.unique(level):
        at = level == depth
        result[at] = np.minimum(levels[depth][low[at]], levels[depth][high[at] - 2**depth])
    return result


def sees_less(timeline: Timeline, arrival: Ints, reused: Bools, horizon_ms: int, rows: Ints) -> Bools:
    """Rows that may not see everything before them: some of it arrived later, or stands there under one id twice."""
    n_reused = running_sum(reused.astype(np.int64))
    n_seen = n_reused[rows + 1] - n_reused[timeline.window_start(horizon_ms, rows)]
    return _overtaking(timeline.user, arrival)[rows] | (n_seen > 1)


def _overtaking(user: Ints, arrival: Ints) -> Bools:
    """Events, in timeline order, that come after one which arrived later than they did."""
    rank = np.empty(len(arrival), np.int64)
    rank[np.argsort(arrival)] = np.arange(len(arrival))
    latest = np.maximum.accumulate(user * len(arrival) + rank)
    overtaking = np.zeros(len(arrival), bool)
    overtaking[1:] = (latest[:-1] > (user * len(arrival) + rank)[1:]) & (user[1:] == user[:-1])
    return overtaking


def number_ids(user: Ints, ids: NDArray[np.uint64], reused: Bools) -> Ints:
    """A number for each id of a user that stands at several times, -1 for all other events."""
    numbers = np.full(len(user), -1)
    rows = np.flatnonzero(reused)
    order = rows[np.lexsort((ids[rows], user[rows]))]
    numbers[order] = np.cumsum(changes(user[order], ids[order])) - 1
    return numbers
