"""Latency under an open loop: payments come at a fixed rate whatever becomes of them, while the archive job runs.

    scheduled ─► sent ─► raw topic ─► score ─► alert committed ─► seen by a read_committed reader
        └──────────────────────── latency ───────────────────────────────────┘

A payment's event time is when it was due, not when the sender got round to it, so a sender or a broker that falls
behind counts as latency (no coordinated omission). The sender is ``tidewatch simulate`` in a process of its own. For
scored records, of which there are too many to read without disturbing, the end is the time their producer gave them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final, Self

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from jobs.settings import Settings
from tests.bench.accounting import account
from tests.bench.backlog import Backlog, Say
from tests.bench.batches import Progress
from tests.bench.bed import Bed, Job, job
from tests.bench.drain import TIMEOUT_S
from tests.bench.usage import Usage
from tests.bench.watcher import Watcher
from tests.jobs.road import read_records

WARM_UP_SHARE: Final = 1 / 3  # of the time, sent before and not counted: the JIT compiles the path of small batches
VISIBLE_S: Final = 1.0  # for the last alerts to reach the reader
MOST_RAW: Final = 5_000  # of scored records every so-manieth is kept; of alerts there are fewer
_EVENT_TIME: Final = re.compile(rb'"event_time":"([^"]+)"')
_PERCENTILES: Final = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}


class AlertWatch(Watcher):
    """Notes when each committed alert is first seen, and the event time in it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._ready = threading.Event()
        self.seen: list[tuple[float, float]] = []  # seconds: event time, time seen

    def __enter__(self) -> Self:
        super().__enter__()
        self._ready.wait()
        return self

    def watch(self) -> None:
        """Read from the present end of the topic on."""
        options = self._settings.kafka.client_options()
        with closing(KafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False)) as consumer:
            partition = TopicPartition(self._settings.kafka.topics.alerts, 0)
            consumer.assign([partition])
            consumer.seek_to_end()
            consumer.position(partition)
            self._ready.set()
            while not self.ended.is_set():
                for records in consumer.poll(timeout_ms=200).values():
                    now = time.time()
                    self.seen += [(_event_s(record.value), now) for record in records]


def latency(backlog: Backlog, rates: Sequence[int], seconds: int, say: Say) -> dict[str, Any]:
    """Both latencies at each rate in turn, after the backlog is drained and archived; adds to its raw topic."""
    place = backlog.fresh("latency")
    settings = place.settings
    found: dict[str, Any] = {}
    with (
        job(place, "archive") as archive,
        job(place, "score") as score,
        Usage(score.pid, place.broker_pid) as usage,
    ):
        Progress.of_score(settings).wait(place.n_messages("raw"), TIMEOUT_S, score.check)
        for table in ("raw", "scored"):
            Progress.of_archive(settings, table).wait(place.n_messages(table), TIMEOUT_S, archive.check)
        for rate in rates:
            found[str(rate)] = _at_rate(place, score, usage, rate, seconds, backlog.n_users)
            archive.check()
            say(
                f"latency at {rate}/s: p50 {found[str(rate)]['p50_ms']:.0f} ms, p99 {found[str(rate)]['p99_ms']:.0f} ms"
            )
        found |= usage.peak_mb()
    return found | {"accounting": account(settings, place.n_messages("raw"), backlog.n_refused)}


def _at_rate(place: Bed, score: Job, usage: Usage, rate: int, seconds: int, n_users: int) -> dict[str, Any]:
    warm_up_s = round(seconds * WARM_UP_SHARE)
    sent = ["simulate", "--rate", str(rate), "--duration", str(warm_up_s + seconds), "--users", str(n_users)]
    progress = Progress.of_score(place.settings)
    started_s, n_before = time.time(), place.n_messages("raw")
    with AlertWatch(place.settings) as watch:
        with job(place, *sent) as sender:
            sender.wait()
        ended_s, n_raw = time.time(), place.n_messages("raw")
        lag = n_raw - progress.n_done()
        progress.wait(n_raw, TIMEOUT_S, score.check)
        caught_up_s = time.time() - ended_s
        time.sleep(VISIBLE_S)
    scored = _scored(place.settings, started_s)
    first_s = scored[:, 0].min() + warm_up_s
    alerts = np.array(watch.seen).reshape(-1, 2)
    cost = usage.cpu_us_per_event(first_s, first_s + seconds, rate * seconds)
    found = _told(alerts[alerts[:, 0] >= first_s]) | {"scored": _told(scored[scored[:, 0] >= first_s])} | cost
    kept = {"n_sent": n_raw - n_before, "warm_up_s": warm_up_s, "sender": sender.last_line()}
    return found | {"lag_at_end": lag, "caught_up_s": caught_up_s} | kept


def _told(times: np.ndarray) -> dict[str, Any]:
    """Percentiles of (event time, end) pairs in milliseconds, whether they grow, and every one of them."""
    if not len(times):
        raise ValueError("nothing came out in the time that counts: give more --seconds")
    times = times[np.argsort(times[:, 0])]
    took_ms = (times[:, 1] - times[:, 0]) * 1000
    third = max(1, len(took_ms) // 3)
    found: dict[str, Any] = {name: float(np.percentile(took_ms, q)) for name, q in _PERCENTILES.items()}
    thirds = {"first_third_p50_ms": took_ms[:third], "last_third_p50_ms": took_ms[-third:]}
    found |= {name: float(np.median(part)) for name, part in thirds.items()}
    return found | {"n": len(took_ms), "raw_ms": np.round(took_ms[:: 1 + len(took_ms) // MOST_RAW], 1).tolist()}


def _scored(settings: Settings, since_s: float) -> np.ndarray:
    records = read_records(settings, settings.kafka.topics.scored, int(since_s * 1000))
    return np.array([(_event_s(record.value), record.timestamp / 1000) for record in records])


def _event_s(value: bytes) -> float:
    found = _EVENT_TIME.search(value)
    if found is None:
        raise ValueError(f"no event time in {value[:200]!r}")
    return datetime.fromisoformat(found[1].decode()).timestamp()
