"""One simulation from start to closing line: a world, its messages, where they go, and the labels beside them."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jobs.errors import ContractError
from jobs.history_files import PARQUET
from jobs.progress import progress_bar
from jobs.raw_topic import RawTopic, raw_topic_state
from jobs.settings import Settings
from jobs.simulate.dirt import Dirt
from jobs.simulate.labels import Labels
from jobs.simulate.payment import MINUTE_MS
from jobs.simulate.render import Messages
from jobs.simulate.stream import bulk_messages, history_messages, live_messages
from jobs.simulate.to_bulk import send_bulk
from jobs.simulate.to_file import check_name, write_file
from jobs.simulate.to_kafka import LATE_S, Pace, send_history, send_live
from jobs.simulate.world import World

LEAD_MS = 1_000            # between making a live schedule and its first message
BULK_SPAN_MS = 40 * MINUTE_MS  # so that the sending may take some minutes before the first payment is an hour old

Advance = Callable[[Messages], None]


@dataclass(frozen=True)
class Simulation:
    """What is simulated. Each method sends it one way and returns a sentence with the counts."""

    settings: Settings
    seed: int
    n_users: int
    per_day: float
    n_attacks: int
    dirt: Dirt
    labels_path: Path | None
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)

    def live(self, rate_per_s: float, duration_s: float) -> str:
        """`rate_per_s` payments for `duration_s` seconds from now on, and the attacks on top."""
        raw_topic_state(self.settings)
        if rate_per_s * duration_s > self.n_users:
            self.say(_crowded(rate_per_s, duration_s, self.n_users))
        world = self._world()
        with RawTopic(self.settings, linger_ms=5) as raw, Labels(self.labels_path) as labels:
            start_ms = _now_ms() + LEAD_MS + self.n_users // 500
            messages = live_messages(world, rate_per_s, start_ms, duration_s, self.n_attacks, self.dirt)
            with self._bar(labels, start_ms, start_ms + int(duration_s * 1000)) as advance:
                pace = send_live(raw, labels.noting(messages), advance)
        return f"{self._closing(labels, self._topic)}; {_kept(pace)}"

    def history_to_kafka(self, start_ms: int, end_ms: int) -> str:
        raw_topic_state(self.settings)
        with Labels(self.labels_path) as labels, self._bar(labels, start_ms, end_ms) as advance:
            send_history(self.settings, labels.noting(self._history(start_ms, end_ms)), start_ms, self.say, advance)
        return self._closing(labels, self._topic)

    def history_to_file(self, path: Path, start_ms: int, end_ms: int) -> str:
        """Raises ContractError for dirt that a file cannot hold."""
        check_name(path)
        self._refuse(f"{path} holds no record times, which late and future payments are judged by", "late", "future")
        if path.suffix == PARQUET:
            self._refuse(f"{path} can only hold what is well formed", "malformed")
        with Labels(self.labels_path) as labels, self._bar(labels, start_ms, end_ms) as advance:
            write_file(path, labels.noting(self._history(start_ms, end_ms)), advance)
        return self._closing(labels, str(path))

    def bulk(self, start_ms: int, end_ms: int) -> str:
        """Through Spark. Raises ContractError for dirt that Spark's sink cannot date."""
        self._refuse("Spark's Kafka sink dates records itself", "late", "future")
        until_ms = _now_ms()
        messages = bulk_messages(self._world(), start_ms, end_ms, until_ms, BULK_SPAN_MS, self.n_attacks, self.dirt)
        with Labels(self.labels_path) as labels, self._bar(labels, until_ms - BULK_SPAN_MS, until_ms) as advance:
            send_bulk(self.settings, labels.noting(messages), self.say, advance)
        return self._closing(labels, self._topic)

    @property
    def _topic(self) -> str:
        return self.settings.kafka.topics.raw

    def _world(self) -> World:
        return World.create(self.seed, self.n_users, self.per_day)

    def _history(self, start_ms: int, end_ms: int) -> Iterator[Messages]:
        return history_messages(self._world(), start_ms, end_ms, self.n_attacks, self.dirt)

    def _refuse(self, reason: str, *kinds: str) -> None:
        wanted = [kind for kind in kinds if getattr(self.dirt, kind)]
        if wanted:
            raise ContractError(f"no {' or '.join(wanted)} payments can go there: {reason}",
                                f"leave out {', '.join(f'--{kind}' for kind in wanted)}, or use --to kafka")

    @contextmanager
    def _bar(self, labels: Labels, start_ms: int, end_ms: int) -> Iterator[Advance]:
        """Progress through the simulated time."""
        with progress_bar("simulating", end_ms - start_ms) as show:
            def advance(batch: Messages) -> None:
                if len(batch.record_ms):
                    show(int(batch.record_ms[-1]) - start_ms, f"{labels.n:,} payments")

            yield advance
            show(end_ms - start_ms, f"{labels.n:,} payments")

    def _closing(self, labels: Labels, target: str) -> str:
        elapsed_s = time.monotonic() - self.started
        parts = [f"{labels.n:,} payments of {self.n_users:,} users to {target} in {elapsed_s:,.1f} s"]
        parts += [f"{self.n_attacks} attacks with {_counted(labels.frauds)} payments"] if labels.frauds else []
        parts += [f"dirt: {_counted(labels.dirt)}"] if labels.dirt else []
        parts += [f"labels in {self.labels_path}"] if self.labels_path else []
        return "; ".join(parts)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def _crowded(rate_per_s: float, duration_s: float, n_users: int) -> str:
    return (f"at {rate_per_s:g}/s each of {n_users:,} users pays every {n_users / rate_per_s:,.0f} s, which is "
            f"suspicious in itself; with --users {round(rate_per_s * duration_s)} each would pay once")


def _kept(pace: Pace) -> str:
    return (f"sent at {pace.rate_per_s:,.1f}/s, {pace.n_late:,} more than {LATE_S * 1000:g} ms behind schedule, "
            f"the worst {max(pace.worst_s, 0) * 1000:,.0f} ms")


def _now_ms() -> int:
    return int(time.time() * 1000)
