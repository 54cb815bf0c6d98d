"""What an event may see: the first arrivals, no later than itself, of its user in ``(t - horizon, t]``.

Where arrival order and time order agree, that is simply the stretch of the timeline before the event. Where they do
not, or where one transaction id stands at several times, the event gets a view of its own:

    event time   ---a------c------e--->        arrival: a, e, c
                    c arrived after e, so e sees {a, e}; a payment after e will see {a, c, e}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.event import Heads
from features.timeline import Ints, Timeline, changes, running_sum

Bools = NDArray[np.bool_]
_CHUNK_EVENTS: Final = 500_000
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


class Views(NamedTuple):
    """Timelines made to measure, stacked: ``owner`` numbers the one each of the ``positions`` in ``heads`` is in.

    ``rows`` are the events they are for, and ``at`` is where each of those stands in ``positions``.
    """

    rows: Ints
    at: Ints
    owner: Ints
    positions: Ints


def own_views(timeline: Timeline, heads: Heads, rows: Ints, reused: Bools, horizon_ms: int) -> Iterator[Views]:
    """What each of the rows may see, in chunks. Rows of one run share a view, see ``_runs``."""
    run = _runs(timeline, heads["arrival"], reused, horizon_ms)[rows]
    rows, run = rows[np.argsort(run, kind="stable")], np.sort(run)
    fresh = np.diff(run, prepend=0) > 0
    view, first = np.cumsum(fresh) - 1, np.flatnonzero(fresh)
    last = np.append(first[1:], len(rows)) - 1
    start, stop = timeline.window_start(horizon_ms, rows[first]), rows[last] + 1
    chunk = np.cumsum(stop - start) // _CHUNK_EVENTS
    for number in np.unique(chunk):
        low, high = np.searchsorted(chunk, [number, number + 1])
        mine = (view >= low) & (view < high)
        yield _stacked(heads, rows[mine], view[mine] - low, start[low:high], stop[low:high], reused)


def _runs(timeline: Timeline, arrival: Ints, reused: Bools, horizon_ms: int) -> Ints:
    """Number the stretches of arrivals in which time ascends too, and no reused id enters or leaves the horizon.

    What arrives within a run comes later in time than all of the run before it, so one view serves them all: what had
    arrived by the last of them, read up to each one's own position.
    """
    order = np.lexsort((arrival, timeline.user))
    left = np.searchsorted(timeline.key[reused] + horizon_ms, timeline.key, "right")
    fresh = changes(timeline.user[order], (np.cumsum(reused) + left)[order])
    fresh[1:] |= np.diff(order) < 0
    run = np.empty(len(order), np.int64)
    run[order] = np.cumsum(fresh)
    return run


def _stacked(heads: Heads, rows: Ints, view: Ints, start: Ints, stop: Ints, reused: Bools) -> Views:
    """Views of the positions ``start .. stop - 1``, without what arrived after the last of them or repeats an id."""
    length = stop - start
    shift = np.cumsum(length) - length - start
    owner = np.repeat(np.arange(len(length)), length)
    positions = np.arange(len(owner)) - shift[owner]
    arrivals = heads["arrival"][positions]
    seen = arrivals <= heads["arrival"][stop - 1][owner]
    twice = np.flatnonzero(seen & reused[positions])
    seen[twice] = _first_arrivals(owner[twice], heads["transaction_id"][positions[twice]], arrivals[twice])
    return Views(rows, (np.cumsum(seen) - 1)[rows + shift[view]], owner[seen], positions[seen])


def _first_arrivals(owner: Ints, ids: NDArray[np.uint64], arrivals: Ints) -> Bools:
    order = np.lexsort((arrivals, ids, owner))
    first = np.zeros(len(owner), bool)
    first[order] = changes(owner[order], ids[order])
    return first
