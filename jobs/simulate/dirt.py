"""Dirt on purpose: the faults that real streams have, in known numbers, so that a test can count what came of each."""
from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.payment import HONEST, HOUR_MS, MINUTE_MS, Payments
from jobs.simulate.world import Ints

CLEAN, LATE, FUTURE, OUT_OF_ORDER, TIE, DUPLICATE, MALFORMED = range(7)
DIRT_NAMES = ("", "late", "future", "out_of_order", "tie", "duplicate", "malformed")
SAME_ERRAND_MS = 30 * MINUTE_MS
AGAIN_WITHIN_MS = 10 * MINUTE_MS
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Dirt:
    """Shares of all payments, 0 to 1; fewer where not enough payments are fit for it.

    late, future   the event time lies further back, or ahead, of the record time than the contract allows
    out_of_order   arrives after the user's next payment, though made before it
    tie            the same event time as the user's payment before
    duplicate      sent once more within minutes, byte for byte
    malformed      bytes that the contract refuses
    """

    late: float = 0.0
    future: float = 0.0
    out_of_order: float = 0.0
    tie: float = 0.0
    duplicate: float = 0.0
    malformed: float = 0.0
    max_lateness_ms: int = HOUR_MS
    max_skew_ms: int = 5 * MINUTE_MS

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, kind.name) for kind in fields(self)[:6])


def soiled(rows: Payments, dirt: Dirt, rng: np.random.Generator) -> Payments:
    """The rows, which are in time order, with dirt; `record_ms` says in which order they are to be sent.

    No payment gets two kinds of dirt; those that another kind leans on, and those of an attack, get none.
    """
    rows, free = rows.copy(), rows["scheme"] == HONEST
    first, second = _pairs(rows)
    late_rows = _choose(rng, free, dirt.out_of_order, first, second)
    rows["record_ms"][first[late_rows]] = rows["record_ms"][second[late_rows]] + 1
    rows["dirt"][first[late_rows]] = OUT_OF_ORDER
    tied = _choose(rng, free, dirt.tie, first, second)
    rows["time_ms"][second[tied]] = rows["time_ms"][first[tied]]
    rows["dirt"][second[tied]] = TIE
    for kind, share, shift_ms in ((LATE, dirt.late, -dirt.max_lateness_ms), (FUTURE, dirt.future, dirt.max_skew_ms)):
        chosen = _choose(rng, free, share, np.arange(len(rows)))
        beyond = rng.integers(MINUTE_MS, HOUR_MS, len(chosen))
        rows["time_ms"][chosen] += shift_ms + np.sign(shift_ms) * beyond
        rows["dirt"][chosen] = kind
    rows["dirt"][_choose(rng, free, dirt.malformed, np.arange(len(rows)))] = MALFORMED
    return np.concatenate([rows, _copies(rows[_choose(rng, free, dirt.duplicate, np.arange(len(rows)))], rng)])


def _pairs(rows: Payments) -> tuple[Ints, Ints]:
    """Positions of payments that follow each other within one errand of one user, never one of them in two pairs."""
    order = np.lexsort((rows["time_ms"], rows["user"]))
    first, second = order[:-1], order[1:]
    gap_ms = rows["time_ms"][second] - rows["time_ms"][first]
    near = (rows["user"][first] == rows["user"][second]) & (gap_ms > 0) & (gap_ms < SAME_ERRAND_MS)
    position = np.flatnonzero(near)
    run_start = np.append(True, np.diff(position) > 1)[: len(position)]
    in_run = np.arange(len(position)) - np.maximum.accumulate(np.where(run_start, np.arange(len(position)), 0))
    position = position[in_run % 2 == 0]
    return first[position], second[position]


def _choose(rng: np.random.Generator, free: Bools, share: float, *candidates: Ints) -> Ints:
    """Positions in `candidates` whose payments are all free; these are taken."""
    fit = np.flatnonzero(np.logical_and.reduce([free[column] for column in candidates]))
    wanted = min(round(share * len(free)), len(fit))
    chosen = rng.choice(fit, wanted, replace=False)
    for column in candidates:
        free[column[chosen]] = False
    return chosen


def _copies(rows: Payments, rng: np.random.Generator) -> Payments:
    again = rows.copy()
    again["record_ms"] += rng.integers(1, AGAIN_WITHIN_MS, len(rows))
    again["dirt"] = DUPLICATE
    return again
