"""Streaming queries from start to end: progress told, a signal obeyed, a failure put in words.

    running ──SIGTERM, SIGINT──► micro-batches that run are finished ──► stopped
       └──────a query fails────► the others finish theirs ─────────────► an error that says what to do

The name of a query is the path of its checkpoint below stream.checkpoint_dir.
"""
from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any, Final

from pyspark.sql.streaming import StreamingQuery

from jobs.stream_failure import explained

POLL_S: Final = 0.5
BATCH_PATIENCE_S: Final = 60.0  # far longer than a micro-batch takes; one that is cut off is done again

Say = Callable[[str], None]


@contextmanager
def stop_signal() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set, in place of ending the process; for the main thread."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def supervise(queries: Sequence[StreamingQuery], say: Say, stop: Event | None = None) -> None:
    """Tell every micro-batch with rows, until all queries have ended, one failed, or `stop` is set; then end them all.

    Raises what made a query fail, explained.
    """
    stop, told = stop or Event(), {}
    try:
        while any(query.isActive for query in queries) and not stop.wait(POLL_S):
            _tell(queries, told, say)
            raise_failure(queries)
    finally:
        end(queries)
    _tell(queries, told, say)
    raise_failure(queries)


def end(queries: Sequence[StreamingQuery]) -> None:
    """Let micro-batches that run come to their end, then stop the queries."""
    deadline = time.monotonic() + BATCH_PATIENCE_S
    for query in queries:
        while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
            time.sleep(0.05)
        query.stop()


def raise_failure(queries: Sequence[StreamingQuery]) -> None:
    """Raise what made one of the queries fail, explained."""
    for query in queries:
        failure = query.exception()
        if failure is not None:
            raise explained(query.name, failure) from failure


def read_offsets(query: StreamingQuery, topic: str) -> dict[int, int]:
    """How far a query has got in a topic, by partition: the first offset that no finished micro-batch has read."""
    progress = query.lastProgress
    ends = (json.loads(source["endOffset"] or "{}") for source in progress["sources"]) if progress else ()
    return {int(partition): offset for end in ends for partition, offset in end.get(topic, {}).items()}


def progress_line(progress: Mapping[str, Any]) -> str:
    """One micro-batch in words; behind are the offsets in the topic that are not read yet."""
    behind = sum(_total(source["latestOffset"]) - _total(source["endOffset"]) for source in progress["sources"])
    took_ms = progress["durationMs"]["triggerExecution"]
    return (f"{progress['name']}: batch {progress['batchId']}, {progress['numInputRows']:,} rows in {took_ms:,} ms, "
            f"{behind:,} behind")


def _total(offsets: str) -> int:
    return sum(offset for partitions in json.loads(offsets).values() for offset in partitions.values())


def _tell(queries: Sequence[StreamingQuery], told: dict[str, int], say: Say) -> None:
    for query in queries:
        progress = query.lastProgress
        if progress and progress["numInputRows"] and told.get(query.name) != progress["batchId"]:
            told[query.name] = progress["batchId"]
            say(progress_line(progress))
