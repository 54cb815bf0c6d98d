"""Messages into the raw topic: a history as fast as Kafka takes it, live traffic exactly when it is due."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jobs.raw_topic import RawTopic, keep_from
from jobs.settings import Settings
from jobs.simulate.render import Messages

LATE_S = 0.05   # behind schedule; a sender on time is within a few milliseconds


@dataclass
class Pace:
    """How well an open loop kept its schedule."""

    n: int = 0
    elapsed_s: float = 0.0
    n_late: int = 0
    worst_s: float = 0.0

    @property
    def rate_per_s(self) -> float:
        return self.n / self.elapsed_s if self.elapsed_s else 0.0


def send_history(settings: Settings, messages: Iterable[Messages], oldest_ms: int, say: Callable[[str], None],
                 advance: Callable[[Messages], None]) -> None:
    """Each message gets its own record time, so that it is as late as the simulation made it."""
    keep_from(settings, oldest_ms, say)
    with RawTopic(settings) as raw:
        for batch in messages:
            raw.send_all(batch.key, batch.value, batch.record_ms.tolist())
            advance(batch)


def send_live(raw: RawTopic, messages: Iterable[Messages], advance: Callable[[Messages], None]) -> Pace:
    """Open loop: each message goes out when it is due and waits for no answer to an earlier one.

    So a slow receiver cannot slow the load that it is measured by. What the sender itself is late by is in the result.
    """
    pace, started = Pace(), 0.0
    to_monotonic_s = time.monotonic() - time.time()   # fixed here: the schedule does not jump when the clock is set
    for batch in messages:
        for key, value, due_ms in zip(batch.key, batch.value, batch.record_ms.tolist(), strict=True):
            ahead_s = due_ms / 1000 + to_monotonic_s - time.monotonic()
            if ahead_s > 0:
                time.sleep(ahead_s)
            started = started or time.monotonic()
            raw.send(key, value)
            pace.n_late += ahead_s < -LATE_S
            pace.worst_s = max(pace.worst_s, -ahead_s)
        pace.n += len(batch.value)
        raw.check()
        advance(batch)
    pace.elapsed_s = time.monotonic() - started
    return pace
