"""Replay a history from files into the raw topic, each record dated by its own event time.

Kafka's record time is what lateness is judged by, so a replayed payment is as late as it was: not at all. An event time
ahead of the clock is no time at which anything can have been recorded; such a record is dated now, and judged by that.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from jobs.errors import ContractError
from jobs.history_files import read_history, read_keyed_history
from jobs.raw_topic import MAX_VALUE_BYTES, RawTopic, keep_from
from jobs.settings import Settings

BATCH_ROWS = 32_768
NAMED_ROWS = 10


@dataclass(frozen=True)
class Survey:
    """A history at a glance; the times are None when it is empty."""

    n_rows: int
    oldest_ms: int | None
    newest_ms: int | None


def survey(path: Path) -> Survey:
    """Look through a whole history once."""
    n_rows, times = 0, []
    for rows in read_history(path):
        n_rows += rows.num_rows
        times += pc.min_max(rows["event_ms"]).as_py().values()
    return Survey(n_rows, min(times, default=None), max(times, default=None))


def replay_file(settings: Settings, path: Path, found: Survey, say: Callable[[str], None],
                advance: Callable[[int], None]) -> int:
    """Send every row in file order, key user_id; returns the number sent.

    `advance` is called with the number of rows of each batch that Kafka has taken. Raises ContractError, after all
    other rows are sent, for rows that are too large for any Kafka message.
    """
    if found.oldest_ms is not None:
        keep_from(settings, found.oldest_ms, say)
    oversized: list[int] = []
    with RawTopic(settings) as raw:
        for rows in read_keyed_history(path, BATCH_ROWS):
            large = pc.greater(pc.binary_length(rows["value"]), MAX_VALUE_BYTES)
            oversized += rows["offset"].filter(large).to_pylist()
            fit = rows.filter(pc.invert(large))
            record_ms = pc.min_element_wise(fit["event_ms"], int(time.time() * 1000))
            raw.send_all(fit["key"].to_pylist(), fit["value"].to_pylist(), record_ms.to_pylist())
            advance(rows.num_rows)
    _refuse(oversized, path)
    return found.n_rows


def _refuse(oversized: list[int], path: Path) -> None:
    if oversized:
        named = ", ".join(map(str, oversized[:NAMED_ROWS])) + (", ..." if len(oversized) > NAMED_ROWS else "")
        raise ContractError(f"{len(oversized)} rows of {path} are larger than {MAX_VALUE_BYTES} bytes and were not "
                            f"sent: {named} (counted from 0 over all files); every other row was sent",
                            "shorten these rows in the source; a payment needs about 600 bytes")
