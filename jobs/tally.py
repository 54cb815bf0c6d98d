"""Counts from inside the workers, exact under retries: a task that runs again replaces its own count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pyspark import Accumulator, AccumulatorParam, SparkContext, TaskContext

from features.kernel import Features
from features.parse import Parsed
from jobs.dead_letters import DeadLetterWriter

Counts = dict[tuple[str, int], Counter[str]]

EVENTS = "events"
NEW = "new"
DUPLICATE = "duplicate"


class _LastOfEachTask(AccumulatorParam[Counts]):
    def zero(self, value: Counts) -> Counts:
        return {}

    def addInPlace(self, value1: Counts, value2: Counts) -> Counts:  # noqa: N802 - PySpark's name
        return value1 | value2


@dataclass
class _Step:
    """Counts one step of the plan, task by task."""

    counts: Accumulator[Counts]
    step: str
    _task: int = field(default=-1, init=False)
    _running: Counter[str] = field(default_factory=Counter, init=False)

    def add(self, found: Counter[str]) -> None:
        context = TaskContext.get()
        if context is None:
            raise RuntimeError("counts are taken inside Spark tasks only")
        if context.taskAttemptId() != self._task:
            self._task, self._running = context.taskAttemptId(), Counter()
        self._running = self._running + found
        self.counts += {(self.step, context.partitionId()): self._running}


class ParsedStep(_Step):
    """Counts events and reasons, and hands dead letters to the writer."""

    def __init__(self, counts: Accumulator[Counts], writer: DeadLetterWriter) -> None:
        super().__init__(counts, "parsed")
        self._writer = writer

    def __call__(self, parsed: Parsed) -> None:
        """Called in the worker with every parsed batch."""
        self._writer(parsed.dead)
        reasons = Counter(reason for reasons in parsed.dead.column("reasons").to_pylist() for reason in reasons)
        self.add(Counter({EVENTS: parsed.events.num_rows}) + reasons)


class FeaturesStep(_Step):
    """Counts new payments and duplicates."""

    def __init__(self, counts: Accumulator[Counts]) -> None:
        super().__init__(counts, "features")

    def __call__(self, found: Features) -> None:
        """Called in the worker with every computed batch."""
        self.add(Counter({NEW: len(found.rows), DUPLICATE: len(found.duplicates)}))


class Tally:
    """The counts of the micro-batch that is running."""

    def __init__(self, context: SparkContext, writer: DeadLetterWriter) -> None:
        self._counts = context.accumulator({}, _LastOfEachTask())
        self.parsed = ParsedStep(self._counts, writer)
        self.features = FeaturesStep(self._counts)

    def take(self) -> Counter[str]:
        """What was counted since the last call."""
        total: Counter[str] = sum(self._counts.value.values(), Counter())
        self._counts.value = {}
        return total
