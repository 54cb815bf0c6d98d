"""The simulation as a stream of messages: honest payments, attacks and dirt, put in order, numbered and written."""
from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from jobs.simulate.dirt import Dirt, soiled
from jobs.simulate.payment import DAY_MS, Payments, in_order
from jobs.simulate.render import Messages, rendered
from jobs.simulate.schemes import attacks
from jobs.simulate.traffic import history, live
from jobs.simulate.world import World

DIRT_STREAM = 5
HISTORY_ROWS = 65_536
SPOTLESS = Dirt()

Batches = Iterable[tuple[int, Payments]]


def history_messages(world: World, start_ms: int, end_ms: int, n_attacks: int = 0,
                     dirt: Dirt = SPOTLESS) -> Iterator[Messages]:
    """Payments of [start, end), as users make them, in the order in which they reach Kafka."""
    batches = in_order(_with(attacks(world, n_attacks, start_ms, end_ms), history(world, start_ms, end_ms)), "time_ms")
    for _, rows in in_order(_soiled(world, _numbered(batches), dirt), "record_ms"):
        rows["record_ms"] = np.minimum(rows["record_ms"], end_ms)
        yield from _written(world, rows, HISTORY_ROWS)


def live_messages(world: World, rate_per_s: float, start_ms: int, duration_s: float, n_attacks: int = 0,
                  dirt: Dirt = SPOTLESS, batch_rows: int = 250) -> Iterator[Messages]:
    """Payments at a fixed rate from `start_ms` on, and the attacks on top; `record_ms` says when each is due."""
    end_ms = start_ms + round(duration_s * 1000)
    honest = live(world, rate_per_s, start_ms, duration_s)
    rows = np.concatenate([honest, attacks(world, n_attacks, start_ms, end_ms)])
    rows = rows[np.argsort(rows["time_ms"], kind="stable")]
    rows["serial"] = (start_ms << 22) + np.arange(len(rows))
    rows = _dirty(world, rows, dirt, end_ms)
    rows["record_ms"] = np.minimum(rows["record_ms"], end_ms)
    return _written(world, rows[np.argsort(rows["record_ms"], kind="stable")], batch_rows)


def bulk_messages(world: World, start_ms: int, end_ms: int, until_ms: int, span_ms: int, n_attacks: int = 0,
                  dirt: Dirt = SPOTLESS) -> Iterator[Messages]:
    """Payments of [start, end) pressed into the `span_ms` before `until_ms`: real in all but their pace."""
    batches = in_order(_with(attacks(world, n_attacks, start_ms, end_ms), history(world, start_ms, end_ms)), "time_ms")
    shrink = span_ms / (end_ms - start_ms)
    pressed = ((until_ms - int((end_ms - batch_end) * shrink), _pressed(rows, end_ms, until_ms, shrink))
               for batch_end, rows in batches)
    for _, rows in in_order(_soiled(world, _counted(pressed, until_ms << 22), dirt), "record_ms"):
        yield from _written(world, rows, HISTORY_ROWS)


def _pressed(rows: Payments, end_ms: int, until_ms: int, shrink: float) -> Payments:
    rows = rows.copy()
    rows["time_ms"] = until_ms - ((end_ms - rows["time_ms"]) * shrink).astype(np.int64)
    rows["record_ms"] = rows["time_ms"]
    return rows


def _counted(batches: Batches, first: int) -> Batches:
    for end_ms, rows in batches:
        rows["serial"] = np.arange(first, first + len(rows))
        yield end_ms, rows
        first += len(rows)


def _with(extra: Payments, batches: Batches) -> Batches:
    """Each batch with those of the extra payments that begin before its end."""
    for end_ms, rows in batches:
        due = extra["time_ms"] < end_ms
        yield end_ms, np.concatenate([rows, extra[due]])
        extra = extra[~due]


def _numbered(batches: Batches) -> Batches:
    """With serial numbers that hold for a day and its place in it, whichever day the stream began with."""
    for end_ms, rows in batches:
        rows = rows.copy()
        rows["serial"] = ((end_ms - 1) // DAY_MS << 32) + np.arange(len(rows))
        yield end_ms, rows


def _soiled(world: World, batches: Batches, dirt: Dirt) -> Batches:
    for end_ms, rows in batches:
        yield end_ms, _dirty(world, rows, dirt, end_ms)


def _dirty(world: World, rows: Payments, dirt: Dirt, end_ms: int) -> Payments:
    return rows if dirt.is_clean else soiled(rows, dirt, world.rng(DIRT_STREAM, end_ms))


def _written(world: World, rows: Payments, batch_rows: int) -> Iterator[Messages]:
    for start in range(0, len(rows), batch_rows):
        yield rendered(world, rows[start : start + batch_rows])
