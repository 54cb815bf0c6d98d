"""Windows over the events of many users at once.

A timeline holds events in order of (user, event time, arrival), so a position is a point in one user's time:

    user          0 0 0 0 0 | 1 1 1 | 2 ...
    position      0 1 2 3 4 | 5 6 7 | 8 ...
    window (t - w, t] of 4:
                    [ . . ]   = positions window_start(w)[4] .. 4

Nothing here knows what an event means, and nothing loops over users: every question is a sort, a search or a
running sum. All sums are of whole numbers, so a result does not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class Repeats(NamedTuple):
    """Events with the same value for the same user, linked: positions of the one before (-1) and the next (n)."""

    order: Ints
    code: Ints
    previous: Ints
    following: Ints


@dataclass(frozen=True)
class Timeline:
    """Events ordered by (user, event time, arrival). ``user`` ascends; ``at_ms`` counts from the user's first event.

    ``reach_ms`` is the longest window that will be asked for.
    """

    user: Ints
    at_ms: Ints
    key: Ints  # ascending; events of one user never come within reach of another's
    span_ms: int

    @classmethod
    def of(cls, user: Ints, event_ms: Ints, reach_ms: int) -> Timeline:
        """Build from columns that are already in order of (user, event time, arrival)."""
        fresh = np.flatnonzero(np.diff(user, prepend=-1))
        at_ms = event_ms - np.repeat(event_ms[fresh], np.diff(np.append(fresh, len(user))))
        span_ms = int(at_ms.max(initial=0)) + reach_ms + 1
        dense = np.zeros(len(user), np.int64)
        dense[fresh] = 1
        return cls(user, at_ms, (np.cumsum(dense) - 1) * span_ms + at_ms, span_ms)

    def window_start(self, window_ms: int, rows: Ints) -> Ints:
        """First position inside ``(t - window, t]`` of each row."""
        return np.searchsorted(self.key, self.key[rows] - window_ms, "right")

    def window_end(self, window_ms: int) -> Ints:
        """First position whose window no longer holds the event, for every event."""
        return np.searchsorted(self.key, self.key + window_ms, "left")

    def repeats(self, values: NDArray[np.uint64]) -> Repeats:
        """Link the events of each (user, value)."""
        n = len(values)
        order = np.lexsort((_narrow(values), _narrow(self.user)))
        value, user = values[order], self.user[order]
        same = (value[1:] == value[:-1]) & (user[1:] == user[:-1])
        before, after = order[:-1][same], order[1:][same]
        previous, following = np.full(n, -1), np.full(n, n)
        previous[after], following[before] = before, after
        code = np.cumsum(np.concatenate([[0], ~same])) if n else np.empty(0, np.int64)
        return Repeats(order, code, previous, following)

    def distinct(self, present: NDArray[np.bool_], following: Ints, end: Ints) -> Ints:
        """Number of distinct values in the window of every event.

        An event stands for its value from its own position until the value comes again or the event leaves the
        window (``end``), whichever is first: one difference array, whatever the density of events.
        """
        n = len(self.user)
        start = np.flatnonzero(present)
        stop = np.minimum(following, end)[start]
        return np.cumsum(np.bincount(start, minlength=n + 1) - np.bincount(stop, minlength=n + 1))[:n]

    def among_repeats(self, repeats: Repeats, window_ms: int, rows: Ints) -> tuple[Ints, Ints]:
        """Bounds ``[low, high)`` in ``repeats.order`` of the events of the same value in each row's window."""
        key = repeats.code * self.span_ms + self.at_ms[repeats.order]
        place = np.empty(len(key), np.int64)
        place[repeats.order] = np.arange(len(key))
        own = place[rows]
        return np.searchsorted(key, key[own] - window_ms, "right"), own + 1


def changes(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows in which any of the columns differs from the row before; the first row does."""
    fresh = np.ones(len(columns[0]), bool)
    fresh[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return fresh


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers in the smallest type: those of 16 bits are sorted by radix."""
    return values.astype(np.min_scalar_type(values.max(initial=0)))


def running_sum(values: Ints) -> Ints:
    """``s[b] - s[a]`` is the exact sum of ``values[a:b]``, as long as that sum itself fits 64 bits."""
    return np.concatenate([[0], np.cumsum(values)])


class SquareSums:
    """Exact sums of squares of whole numbers below 2**45 over any range of up to 2**17 events, as float64.

    Squares do not fit 64 bits, so each number is split in two limbs of 22 and 23 bits.
    """

    _BITS = 22

    def __init__(self, values: Ints) -> None:
        high, low = values >> self._BITS, values & (2**self._BITS - 1)
        self._limbs = (high * high, high * low, low * low)
        self._sums = tuple(map(running_sum, self._limbs))

    def between(self, start: Ints, stop: Ints, less: Callable[[Ints], Ints] | None = None) -> Floats:
        """Sum of the squares of positions ``start .. stop - 1``; ``less`` sums what is to be left out."""
        parts = zip(self._limbs, self._sums, strict=True)
        hh, hl, ll = (
            (sums[stop] - sums[start] - (less(limb) if less else 0)).astype(np.float64) for limb, sums in parts
        )
        return hh * 2.0 ** (2 * self._BITS) + hl * 2.0 ** (self._BITS + 1) + ll
