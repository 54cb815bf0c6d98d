"""What an event may see: the first arrivals, no later than itself, of its user in ``(t - horizon, t]``.

Where arrival order and time order agree, that is simply the stretch of the timeline before the event. Where they do
not, or where one transaction id stands at several times, the event gets a timeline of its own:

    event time   ---a------c------e--->        arrival: a, e, c
                    c arrived after e, so e sees {a, e}; a payment after e will see {a, c, e}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.event import Heads
from features.timeline import Ints, Timeline

Bools = NDArray[np.bool_]
_CHUNK_EVENTS: Final = 2_000_000
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
    new_id = _changes(user[rows], heads["transaction_id"][rows])
    new_time = new_id | _changes(times)
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


def _changes(*columns: NDArray[np.generic]) -> Bools:
    return np.concatenate([[True], np.logical_or.reduce([column[1:] != column[:-1] for column in columns])])


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


def out_of_order(user: Ints, arrival: Ints) -> Bools:
    """Events, in timeline order, that come after one which arrived later than they did."""
    rank = np.empty(len(arrival), np.int64)
    rank[np.argsort(arrival)] = np.arange(len(arrival))
    latest = np.maximum.accumulate(user * len(arrival) + rank)
    return np.concatenate([[False], (latest[:-1] > (user * len(arrival) + rank)[1:]) & (user[1:] == user[:-1])])[
        : len(user)
    ]


def own_timelines(timeline: Timeline, heads: Heads, rows: Ints, horizon_ms: int) -> Iterator[tuple[Ints, Ints, Ints]]:
    """For the given rows, in chunks: ``(rows, owner, positions)`` of what each may see, itself being the last.

    ``owner`` numbers the rows of the chunk from 0; ``positions`` point into ``heads``.
    """
    start = timeline.window_start(horizon_ms, rows)
    length = rows - start + 1
    chunk = np.cumsum(length) // _CHUNK_EVENTS
    for number in np.unique(chunk):
        at = np.flatnonzero(chunk == number)
        owner = np.repeat(np.arange(len(at)), length[at])
        positions = np.arange(len(owner)) - np.repeat(np.cumsum(length[at]) - length[at], length[at]) + start[at][owner]
        seen = heads["arrival"][positions] <= heads["arrival"][rows[at]][owner]
        owner, positions = owner[seen], positions[seen]
        first = _first_arrivals(owner, heads["transaction_id"][positions], heads["arrival"][positions])
        yield rows[at], owner[first], positions[first]


def _first_arrivals(owner: Ints, ids: NDArray[np.uint64], arrivals: Ints) -> Bools:
    order = np.lexsort((arrivals, ids, owner))
    first = np.zeros(len(owner), bool)
    first[order] = _changes(owner[order], ids[order])
    return first
