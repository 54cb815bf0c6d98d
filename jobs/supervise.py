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
    """Stop each query as soon as the micro-batch that it runs has ended."""
    deadline = time.monotonic() + BATCH_PATIENCE_S
    for query in queries:
        ended = _last_ended(query)
        while (query.isActive and query.status["isTriggerActive"] and _last_ended(query) == ended
               and time.monotonic() < deadline):
            time.sleep(0.02)
        query.stop()


def _last_ended(query: StreamingQuery) -> int | None:
    progress = query.lastProgress
    return progress["batchId"] if progress else None


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
    behind = [_n_behind(source) for source in progress["sources"]]
    lag = "done again" if None in behind else f"{sum(n for n in behind if n):,} behind"
    rows, took_ms = progress["numInputRows"], progress["durationMs"]["triggerExecution"]
    return f"{progress['name']}: batch {progress['batchId']}, {rows:,} rows in {took_ms:,} ms, {lag}{_state(progress)}"


def _state(progress: Mapping[str, Any]) -> str:
    """How much a stateful query remembers and how far it has forgotten; nothing for one without state."""
    operators = progress.get("stateOperators") or []
    if not operators:
        return ""
    changed, n_bytes = (sum(operator[key] for operator in operators) for key in ("numRowsUpdated", "memoryUsedBytes"))
    watermark = progress.get("eventTime", {}).get("watermark", "none yet")
    return f"; state {n_bytes / 2**20:,.0f} MB in memory, {changed:,} histories changed, watermark {watermark}"


def _n_behind(source: Mapping[str, str]) -> int | None:
    """None for a micro-batch that was begun before a restart: Spark does not look for newer messages then."""
    latest, end_ = (json.loads(source[key]) for key in ("latestOffset", "endOffset"))
    if latest is None:
        return None
    return sum(latest[topic][partition] - offset for topic, ends in end_.items() for partition, offset in ends.items())


def _tell(queries: Sequence[StreamingQuery], told: dict[str, int], say: Say) -> None:
    for query in queries:
        for progress in _beyond(told.get(query.name, -1), query):
            told[query.name] = progress["batchId"]
            if progress["numInputRows"]:
                say(progress_line(progress))
            else:
                told[query.name] -= 1  # a query without work reports the batch that is still to come


def _beyond(batch_id: int, query: StreamingQuery) -> Sequence[Mapping[str, Any]]:
    """Progress after that micro-batch; all that is recent is slow to read, so only when more than one was made."""
    last = query.lastProgress
    if last is None or last["batchId"] <= batch_id:
        return ()
    if last["batchId"] == batch_id + 1:
        return (last,)
    return [progress for progress in query.recentProgress if progress["batchId"] > batch_id]
