"""One run: what is measured, in what order, on which backlog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench import machine
from tests.bench.backlog import Backlog, fill
from tests.bench.bed import Bed, bed
from tests.bench.drain import drain
from tests.bench.results import Result, medians

MEASUREMENTS: Final = ("drain",)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure, and how much of it."""

    chosen: tuple[str, ...]
    n_events: int
    n_users: int
    n_repeats: int
    work: Path


def measure(plan: Plan, say: Say) -> Result:
    """Everything that is chosen, on one broker that is started for it."""
    results: Result = {"machine": machine.facts()}
    stolen_s = machine.stolen_s()
    with bed(plan.work, say) as place:
        results |= _on_one_backlog(plan, place, say)
    results["machine"]["stolen_s"] = machine.stolen_s() - stolen_s
    return results


def _on_one_backlog(plan: Plan, place: Bed, say: Say) -> Result:
    backlog = fill(place, plan.n_events, plan.n_users, say)
    results: Result = {"traffic": backlog.facts()}
    if "drain" in plan.chosen:
        results["drain"] = medians([_drained(backlog, say, f"drain-{n}") for n in range(plan.n_repeats)])
        results["drain"]["profiled"] = _drained(backlog, say, "profiled", profile=True)
        samples = [_drained(backlog, say, f"archived-{n}", archive=True) for n in range(plan.n_repeats)]
        results["drain_with_archive"] = medians(samples)
    return results


def _drained(backlog: Backlog, say: Say, name: str, **how: bool) -> dict[str, Any]:
    place = backlog.fresh(name)
    found = drain(place, **how)
    say(f"{name}: {found['events_per_s']:,.0f} events/s, {found['cpu_us_per_event']:.1f} us CPU an event")
    place.clear()
    return found
