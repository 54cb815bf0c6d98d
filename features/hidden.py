"""What a row does not see of the timeline before it, taken off again: its own past without a timeline of its own.

    event time   ---a------c------e--->        arrival: a, e, c
                    c is hidden from e; from a payment after e, nothing is

A row's answer is that of the whole timeline less what is hidden from it. All of it is whole numbers, so the answer is
to the bit as if the hidden events did not exist. The work is to count what is hidden, however long the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.timeline import Ints, Repeats, running_sum

_BLOCK: Final = 64
_MAX_HIDDEN: Final = 1_000_000  # at a time, over all rows: some 100 MB


@dataclass(frozen=True)
class Hidden:
    """For row number i, ``positions[bounds[i]:bounds[i + 1]]``, ascending; ``size`` is the length of the timeline."""

    bounds: Ints
    positions: Ints
    size: int

    @classmethod
    def nothing(cls, rows: Ints, size: int) -> Self:
        """All that is before them is seen by these rows."""
        return cls(np.zeros(len(rows) + 1, np.int64), np.empty(0, np.int64), size)

    @property
    def any(self) -> bool:
        """Whether anything is hidden from any of the rows."""
        return len(self.positions) > 0

    @cached_property
    def _owner(self) -> Ints:
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    @cached_property
    def _key(self) -> Ints:
        return self._owner * self.size + self.positions

    def _from(self, start: Ints) -> Ints:
        """Place among all the hidden of each row's first one at or after ``start``."""
        return np.searchsorted(self._key, np.arange(len(start)) * self.size + start)

    def count(self, start: Ints) -> Ints:
        """How many are at or after ``start``, for each row."""
        return self.bounds[1:] - self._from(start) if self.any else np.zeros(len(start), np.int64)

    def sum(self, values: Ints, start: Ints) -> Ints:
        """Sum of their values."""
        return self._sum(values[self.positions], start)

    def sum_alike(self, codes: NDArray[Any], values: Ints, rows: Ints, start: Ints) -> Ints:
        """Sum of the values of those with the same code as the row."""
        if not self.any:
            return np.zeros(len(start), np.int64)
        alike = codes[self.positions] == codes[rows][self._owner]
        return self._sum(np.where(alike, values[self.positions], 0), start)

    def _sum(self, values: Ints, start: Ints) -> Ints:
        if not self.any:
            return np.zeros(len(start), np.int64)
        sums = running_sum(values)
        return sums[self.bounds[1:]] - sums[self._from(start)]

    def skip(self, first: Ints, chain: Ints) -> Ints:
        """The first position that is not hidden on the way of each row: ``first``, ``chain[first]``, and so on."""
        return _skip(self.bounds, self.positions, first, chain) if self.any else first

    def vanished(self, present: NDArray[np.bool_], repeats: Repeats, rows: Ints, start: Ints) -> Ints:
        """Number of values that stand in ``start .. row`` and of which all that stand there are hidden."""
        return _vanished(self.bounds, self.positions, present, repeats.previous, repeats.following, rows, start)


def hidden_from(rows: Ints, start: Ints, arrival: Ints, same_id: Ints) -> Iterator[tuple[slice, Hidden]]:
    """What is hidden from rows whose past begins at ``start``, for some of the rows at a time.

    Hidden is what arrived after the row, and what repeats an id that arrived before it in the same past. ``same_id``
    numbers the ids that stand more than once, and is -1 for all others.
    """
    bounds = np.zeros(len(rows) + 1, np.int64)
    found = _hide(rows, start, arrival, same_id, bounds, np.empty(0, np.int64))
    cuts = np.flatnonzero(np.diff(bounds[:-1] // _MAX_HIDDEN, prepend=-1))
    for low, high in zip(cuts.tolist(), [*cuts[1:].tolist(), len(rows)], strict=True):
        part = slice(low, high)
        own = np.zeros(high - low + 1, np.int64)
        positions = np.empty(bounds[high] - bounds[low], np.int64)
        found = _hide(rows[part], start[part], arrival, same_id, own, positions)
        assert found == len(positions)
        yield part, Hidden(own, positions, len(arrival))


def _hide_from_rows(rows: Ints, start: Ints, arrival: Ints, same_id: Ints, bounds: Ints, out: Ints) -> int:
    """Fill ``bounds``, and ``out`` unless it is empty; returns how many are hidden in all."""
    n = len(arrival)
    n_blocks = n // _BLOCK + 1
    latest, repeats = np.full(n_blocks, -1), np.zeros(n_blocks, np.bool_)
    for at in range(n):
        latest[at // _BLOCK] = max(latest[at // _BLOCK], arrival[at])
        repeats[at // _BLOCK] |= same_id[at] >= 0
    n_ids = same_id.max() + 1 if n else 0
    first, seen_by = np.zeros(n_ids, np.int64), np.full(n_ids, -1)
    total = 0
    for number in range(len(rows)):
        row = rows[number]
        own = arrival[row]
        at = start[number]
        while at < row:  # who of each id came first
            if not repeats[at // _BLOCK]:
                at = (at // _BLOCK + 1) * _BLOCK
                continue
            name = same_id[at]
            if name >= 0 and arrival[at] <= own and (seen_by[name] != number or arrival[at] < first[name]):
                seen_by[name], first[name] = number, arrival[at]
            at += 1
        at = start[number]
        while at < row:
            if latest[at // _BLOCK] <= own and not repeats[at // _BLOCK]:
                at = (at // _BLOCK + 1) * _BLOCK
                continue
            name = same_id[at]
            if arrival[at] > own or (name >= 0 and arrival[at] > first[name]):
                if len(out):
                    out[total] = at
                total += 1
            at += 1
        bounds[number + 1] = total
    return total


def _skip_hidden(bounds: Ints, positions: Ints, first: Ints, chain: Ints) -> Ints:
    hidden_by, found = np.full(len(chain), -1), first.copy()
    for number in range(len(first)):
        for place in range(bounds[number], bounds[number + 1]):
            hidden_by[positions[place]] = number
        at = first[number]
        while 0 <= at < len(chain) and hidden_by[at] == number:
            at = chain[at]
        found[number] = at
    return found


def _count_vanished(
    bounds: Ints,
    positions: Ints,
    present: NDArray[np.bool_],
    previous: Ints,
    following: Ints,
    rows: Ints,
    start: Ints,
) -> Ints:
    """From the row backwards: a value is gone from a hidden event on if its next one is gone too, or past the row.

    If there is no earlier one in the window either, the value is gone altogether.
    """
    gone_for, count = np.full(len(present), -1), np.zeros(len(rows), np.int64)
    for number in range(len(rows)):
        for place in range(bounds[number + 1] - 1, bounds[number] - 1, -1):
            at = positions[place]
            if at < start[number]:
                break
            after = following[at]
            if present[at] and (after > rows[number] or gone_for[after] == number):
                gone_for[at] = number
                count[number] += previous[at] < start[number]
    return count


_hide: Callable[..., int] = njit(cache=True)(_hide_from_rows)
_skip: Callable[..., Ints] = njit(cache=True)(_skip_hidden)
_vanished: Callable[..., Ints] = njit(cache=True)(_count_vanished)
