"""When a query began and what its micro-batches did, read from its checkpoint while it runs or after.

metadata         written as the query starts
offsets/<n>      where micro-batch n ends in the raw topic, written before it runs
commits/<n>      written when all its output is
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from jobs.archive import query_name
from jobs.score import QUERY
from jobs.settings import Settings

POLL_S: Final = 0.05


class Batch(NamedTuple):
    """One finished micro-batch with rows; the times are of the wall clock."""

    number: int
    n_rows: int
    began_s: float
    ended_s: float


class Progress:
    """One query that reads one topic, as its checkpoint shows it."""

    def __init__(self, checkpoint: Path, topic: str) -> None:
        self._folder, self._topic = checkpoint, topic

    @classmethod
    def of_score(cls, settings: Settings) -> Progress:
        """The score job."""
        return cls(Path(settings.stream.checkpoint_dir) / QUERY, settings.kafka.topics.raw)

    @classmethod
    def of_archive(cls, settings: Settings, table: str) -> Progress:
        """One of the archive job's queries."""
        topic = getattr(settings.kafka.topics, table)
        return cls(Path(settings.stream.checkpoint_dir) / query_name(table), topic)

    @property
    def query_start_s(self) -> float:
        """When the query started: Spark is up, the model is loaded, nothing is read yet."""
        return (self._folder / "metadata").stat().st_mtime

    def n_done(self) -> int:
        """Records whose output is written and committed, those before the first kept micro-batch included."""
        numbers = self._numbers("commits")
        return self._end(max(numbers)) if numbers else 0

    def batches(self) -> list[Batch]:
        """Every finished micro-batch with rows that the checkpoint still knows."""
        found, before = [], 0
        for number in sorted(self._numbers("commits") & self._numbers("offsets")):
            end = self._end(number)
            if end > before:
                found.append(
                    Batch(number, end - before, self._written("offsets", number), self._written("commits", number))
                )
            before = end
        return found

    def wait(self, n_records: int, timeout_s: float, check: Callable[[], None]) -> None:
        """Until so many records are done; ``check`` raises when there is no hope. TimeoutError after so long."""
        deadline = time.monotonic() + timeout_s
        while self.n_done() < n_records:
            check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.n_done():,} of {n_records:,} records are done after {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def n_bytes(self) -> int:
        """Of the whole checkpoint on disk: state, changes and logs."""
        return sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())

    def _numbers(self, kind: str) -> set[int]:
        folder = self._folder / kind
        return {int(file.name) for file in folder.iterdir() if file.name.isdigit()} if folder.is_dir() else set()

    def _end(self, number: int) -> int:
        last_line = (self._folder / "offsets" / str(number)).read_text().splitlines()[-1]
        return sum(json.loads(last_line)[self._topic].values())

    def _written(self, kind: str, number: int) -> float:
        return (self._folder / kind / str(number)).stat().st_mtime
