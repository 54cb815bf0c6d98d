"""One run: what is measured, in what order, on which backlog.

backlog of --users           drain, drain_with_archive, backfill, baseline
backlogs of a fifth, tenfold users                                        the same number of events
the tenfold one              latency, since at that rate fewer users would pay suspiciously often
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench import machine
from tests.bench.backfill import backfill
from tests.bench.backlog import Backlog, fill
from tests.bench.baseline import baseline
from tests.bench.bed import bed
from tests.bench.drain import drain
from tests.bench.latency import latency
from tests.bench.results import Result, medians, numbers

MEASUREMENTS: Final = ("drain", "backfill", "baseline", "users", "latency")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure, and how much of it."""

    chosen: tuple[str, ...]
    n_events: int
    n_users: int
    rates: tuple[int, ...]
    seconds: int
    n_repeats: int
    work: Path

    @property
    def few_users(self) -> int:
        """A fifth."""
        return self.n_users // 5

    @property
    def many_users(self) -> int:
        """Tenfold."""
        return self.n_users * 10

    def wants(self, *names: str) -> bool:
        """Whether any of these is to be measured."""
        return bool(set(names) & set(self.chosen))


def measure(plan: Plan, say: Say, results: Result) -> None:
    """Everything that is chosen, on one broker that is started for it; what is measured is put into ``results``."""
    results["machine"] = machine.facts()
    stolen_s = machine.stolen_s()
    with bed(plan.work, say) as place:
        if plan.wants("drain", "backfill", "baseline", "users"):
            _usual_users(plan, fill(place, plan.n_events, plan.n_users, say), results, say)
        if plan.wants("users"):
            few = fill(place, plan.n_events, plan.few_users, say)
            results["users"][str(plan.few_users)] = _drained(few, say, f"{plan.few_users:,} users")
        if plan.wants("users", "latency"):
            _many_users(plan, fill(place, plan.n_events, plan.many_users, say), results, say)
    results["machine"]["stolen_s"] = machine.stolen_s() - stolen_s


def _usual_users(plan: Plan, backlog: Backlog, results: Result, say: Say) -> None:
    results["traffic"] = backlog.facts()
    if plan.wants("drain", "users"):
        results["drain"] = _repeated(plan, backlog, say, "drain")
        results["users"] = {str(plan.n_users): numbers(results["drain"])}
    if plan.wants("drain"):
        results["drain"]["profiled"] = _drained(backlog, say, "profiled", profile=True)
        results["drain_with_archive"] = _repeated(plan, backlog, say, "with-archive", archive=True)
    if plan.wants("backfill"):
        results |= {name: medians(samples) for name, samples in backfill(backlog, plan.n_repeats, say).items()}
    if plan.wants("baseline"):
        results["baseline"] = {scoring: _tutorial(backlog, say, scoring) for scoring in ("pandas", "row")}


def _many_users(plan: Plan, backlog: Backlog, results: Result, say: Say) -> None:
    if plan.wants("users"):
        results["users"][str(plan.many_users)] = _drained(backlog, say, f"{plan.many_users:,} users")
        costs = [found["cpu_us_per_event"] for found in results["users"].values()]
        results["users"]["dearest_to_cheapest"] = max(costs) / min(costs)
    if plan.wants("latency"):
        results["latency"] = latency(backlog, plan.rates, plan.seconds, say)


def _repeated(plan: Plan, backlog: Backlog, say: Say, name: str, **how: bool) -> Result:
    return medians([_drained(backlog, say, f"{name}-{n}", **how) for n in range(plan.n_repeats)])


def _drained(backlog: Backlog, say: Say, name: str, **how: bool) -> dict[str, Any]:
    place = backlog.fresh(name.replace(",", "").replace(" ", "-"))
    found = drain(backlog, place, **how)
    place.clear()
    say(f"{name}: {_in_short(found)}")
    return found


def _tutorial(backlog: Backlog, say: Say, scoring: str) -> dict[str, Any]:
    found = baseline(backlog, scoring)
    say(f"tutorial, {scoring}: {_in_short(found)}")
    return found


def _in_short(found: dict[str, Any]) -> str:
    return f"{found['events_per_s']:,.0f} events/s, {found['cpu_us_per_event']:.1f} us CPU an event"
