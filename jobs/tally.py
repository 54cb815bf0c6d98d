"""What the workers tell the driver beside their rows: counts, alerts and full hours, exact under retries.

A task that runs again, or twice at once, replaces what it said before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyspark import Accumulator, AccumulatorParam, SparkContext, TaskContext

from features.kernel import Features
from features.limit import FullHour
from features.parse import Parsed
from features.transaction import Reason
from jobs.dead_letters import DeadLetterWriter
from jobs.records import Message

EVENTS = "events"
ANSWERED = "answered"
NEW = "new"


class Told(NamedTuple):
    """What tasks told so far."""

    counts: Counter[str]
    alerts: tuple[Message, ...] = ()
    full_hours: frozenset[FullHour] = frozenset()

    @property
    def n_unanswered(self) -> int:
        """Events that were parsed and came out again neither as payments nor as refused."""
        return self.counts[EVENTS] - self.counts[ANSWERED]

    @property
    def refused(self) -> dict[str, int]:
        """How many records were refused, by reason."""
        return {why: n for why, n in sorted(self.counts.items()) if why not in (EVENTS, ANSWERED, NEW)}

    def __add__(self, other: Told) -> Told:  # type: ignore[override] - a sum of reports, not a longer tuple
        full_hours = self.full_hours | other.full_hours
        return Told(self.counts + other.counts, self.alerts + other.alerts, full_hours)


NOTHING = Told(Counter())
ByTask = dict[tuple[str, int], Told]


class _LastOfEachTask(AccumulatorParam[ByTask]):
    def zero(self, value: ByTask) -> ByTask:
        return {}

    def addInPlace(self, value1: ByTask, value2: ByTask) -> ByTask:  # noqa: N802 - PySpark's name
        return value1 | value2


@dataclass
class _Step:
    """Reports for one step of the plan, task by task."""

    reports: Accumulator[ByTask]
    step: str
    _task: int = field(default=-1, init=False)
    _running: Told = field(default=NOTHING, init=False)

    def tell(self, told: Told) -> None:
        context = TaskContext.get()
        if context is None:
            raise RuntimeError("reports come from inside Spark tasks only")
        if context.taskAttemptId() != self._task:
            self._task, self._running = context.taskAttemptId(), NOTHING
        self._running = self._running + told
        self.reports += {(self.step, context.partitionId()): self._running}


class ParsedStep(_Step):
    """Counts events and reasons, and hands dead letters to the writer."""

    def __init__(self, reports: Accumulator[ByTask], writer: DeadLetterWriter) -> None:
        super().__init__(reports, "parsed")
        self._writer = writer

    def __call__(self, parsed: Parsed) -> None:
        """Called in the worker with every parsed batch."""
        self._writer(parsed.dead)
        reasons = Counter(reason for reasons in parsed.dead.column("reasons").to_pylist() for reason in reasons)
        self.tell(Told(Counter({EVENTS: parsed.events.num_rows}) + reasons))


class FeaturesStep(_Step):
    """Counts new payments and refused ones, and gathers the hours that are full."""

    def __init__(self, reports: Accumulator[ByTask]) -> None:
        super().__init__(reports, "features")

    def __call__(self, found: Features, full_hours: Sequence[FullHour]) -> None:
        """Called in the worker with every computed batch."""
        ends = {NEW: found.rows, Reason.DUPLICATE: found.duplicates, Reason.USER_TOO_ACTIVE: found.too_active}
        counts = Counter({end: len(rows) for end, rows in ends.items()})
        self.tell(Told(counts + Counter({ANSWERED: counts.total()}), full_hours=frozenset(full_hours)))


class AlertsStep(_Step):
    """Brings the alerts to the driver, which sends them in one transaction."""

    def __init__(self, reports: Accumulator[ByTask]) -> None:
        super().__init__(reports, "alerts")

    def __call__(self, alerts: Sequence[Message]) -> None:
        """Called in the worker with the alerts of every answered batch."""
        self.tell(Told(Counter(), tuple(alerts)))


class Tally:
    """What is told of the micro-batch that is running."""

    def __init__(self, context: SparkContext, writer: DeadLetterWriter) -> None:
        self._reports = context.accumulator({}, _LastOfEachTask())
        self.parsed = ParsedStep(self._reports, writer)
        self.features = FeaturesStep(self._reports)
        self.alerts = AlertsStep(self._reports)

    def take(self) -> Told:
        """What was told since the last call."""
        total = sum(self._reports.value.values(), NOTHING)
        self._reports.value = {}
        return total
