"""Drain: a backlog of two days scored from a cold start, as after an outage; everything goes to Kafka."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Final

from tests.bench.accounting import account
from tests.bench.backlog import Backlog
from tests.bench.batches import Batch, Progress
from tests.bench.bed import Bed, Job, job
from tests.bench.stages import EVENT_LOG, stage_times
from tests.bench.usage import Usage

TIMEOUT_S: Final = 1_800


def drain(backlog: Backlog, place: Bed, *, archive: bool = False, profile: bool = False) -> dict[str, Any]:
    """Score the whole backlog once, in a ``place`` that is fresh.

    With ``archive`` the archive job starts at the same moment and works through the same backlog. With ``profile``
    Spark writes its event log, from which the time of every stage is taken.
    """
    n_events = backlog.n_events
    log = place.folder / "event-log"
    log.mkdir(exist_ok=True)
    running = (
        place.with_settings(spark={"extra": EVENT_LOG | {"spark.eventLog.dir": log.as_uri()}}) if profile else place
    )
    with ExitStack() as stack:
        archiving = stack.enter_context(job(place, "archive")) if archive else None
        score = stack.enter_context(job(running, "score"))
        usage = stack.enter_context(Usage(score.pid, place.broker_pid))
        progress = _drained(place, score, archiving, n_events)
        time.sleep(0.5)  # one more look at the counters
        found = figures(score, usage, progress)
    if profile:
        found["stages"] = stage_times(log)
    return found | {"accounting": account(place.settings, n_events, backlog.n_refused)}


def _drained(place: Bed, score: Job, archiving: Job | None, n_events: int) -> Progress:
    def check() -> None:
        score.check()
        if archiving:
            archiving.check()

    progress = Progress.of_score(place.settings)
    progress.wait(n_events, TIMEOUT_S, check)
    return progress


def figures(running: Job, usage: Usage, progress: Progress) -> dict[str, Any]:
    """Events per second and CPU per event over three stretches that end with the commit of the last micro-batch.

    No suffix: from the start of the query, when Spark is up and nothing is read. ``_command``: from the start of the
    program. ``_warm``: from the end of the first micro-batch, without that batch's events.
    """
    batches = progress.batches()
    n_events = sum(batch.n_rows for batch in batches)
    end_s = batches[-1].ended_s
    found = _stretch(usage, progress.query_start_s, end_s, n_events)
    found |= _suffixed("_command", _stretch(usage, running.started_s, end_s, n_events))
    if len(batches) > 1:
        warm = n_events - batches[0].n_rows
        found |= _suffixed("_warm", _stretch(usage, batches[0].ended_s, end_s, warm))
    state = {"checkpoint_bytes": progress.n_bytes(), "checkpoint_bytes_per_event": progress.n_bytes() / n_events}
    return found | usage.peak_mb() | state | {"batches": [_told(batch) for batch in batches]}


def _stretch(usage: Usage, start_s: float, end_s: float, n_events: int) -> dict[str, float]:
    return {"events_per_s": n_events / (end_s - start_s)} | usage.cpu_us_per_event(start_s, end_s, n_events)


def _suffixed(suffix: str, found: dict[str, float]) -> dict[str, float]:
    return {name + suffix: value for name, value in found.items()}


def _told(batch: Batch) -> dict[str, float]:
    return {"batch": batch.number, "n_rows": batch.n_rows, "seconds": batch.ended_s - batch.began_s}
