"""Results for people: a table in Markdown, a picture, and the same in letters where no picture can be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.results import Result

mpl.use("Agg")
_RUNS: Final = {
    "drain": "drain",
    "drain_with_archive": "drain, archive running",
    "backfill": "backfill from the archive",
    "backfill_file": "backfill from a file",
    "baseline.pandas": "tutorial, pandas UDF",
    "baseline.row": "tutorial, row by row",
}
_OURS, _OTHER, _WIDTH = "#1f6f8b", "#b0b0b0", 40


def throughput(results: Result) -> dict[str, Result]:
    """The runs that were measured, by the name that people read."""
    found = {label: _at(results, path) for path, label in _RUNS.items()}
    return {label: run for label, run in found.items() if run}


def table(results: Result) -> str:
    """Markdown: what each run does in a second and costs, then the latencies."""
    rows = ["| | events/s | CPU us an event | of it Python | peak memory MB |", "|---|---:|---:|---:|---:|"]
    for label, run in throughput(results).items():
        cost = f"{run['cpu_us_per_event']:.1f} | {run['python_cpu_us_per_event']:.1f} | {run['peak_memory_mb']:,.0f}"
        rows.append(f"| {label} | {run['events_per_s']:,.0f} | {cost} |")
    for users, run in _by_users(results).items():
        rows.append(f"| drain, {users:,} users | {run['events_per_s']:,.0f} | {run['cpu_us_per_event']:.1f} | | |")
    if _rates(results):
        rows += ["", "| event to alert, archive running | p50 | p95 | p99 | most |", "|---|---:|---:|---:|---:|"]
    for rate, found in _rates(results).items():
        figures = " | ".join(f"{found[name]:,.0f} ms" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        rows.append(f"| {rate:,} events/s | {figures} |")
    return "\n".join(rows) + "\n"


def letters(results: Result) -> str:
    """Bars of events per second, for a terminal."""
    runs = throughput(results)
    most = max((run["events_per_s"] for run in runs.values()), default=1.0)
    lines = [
        f"{label:>26}  {'#' * round(_WIDTH * run['events_per_s'] / most)} {run['events_per_s']:,.0f}"
        for label, run in runs.items()
    ]
    return "\n".join(["events per second", *lines]) + "\n"


def picture(results: Result, file: Path) -> None:
    """Throughput, latency and cost by number of users, side by side; a part that was not measured stays empty."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    _draw_throughput(first, results)
    _draw_latency(second, results)
    _draw_users(third, results)
    figure.savefig(file, dpi=120)


def _draw_throughput(axes: Axes, results: Result) -> None:
    runs = throughput(results)
    labels = list(runs)
    colours = [_OTHER if label.startswith("tutorial") else _OURS for label in labels]
    bars = axes.barh(labels, [runs[label]["events_per_s"] for label in labels], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set_title("events per second")


def _draw_latency(axes: Axes, results: Result) -> None:
    for rate, found in _rates(results).items():
        took_ms = np.sort(found["raw_ms"])
        axes.plot(took_ms, np.linspace(0, 100, len(took_ms)), label=f"{rate:,} events/s")
    if _rates(results):
        axes.legend()
    axes.set_title("event to alert")
    axes.set_xlabel("ms")
    axes.set_ylabel("% of alerts within")


def _draw_users(axes: Axes, results: Result) -> None:
    runs = _by_users(results)
    cost = [run["cpu_us_per_event"] for run in runs.values()]
    axes.bar([f"{users:,}" for users in runs], cost, color=_OURS)
    axes.set_title("CPU us an event, by number of users")


def _rates(results: Result) -> dict[int, Result]:
    return _numbered(results.get("latency", {}))


def _by_users(results: Result) -> dict[int, Result]:
    return _numbered(results.get("users", {}))


def _numbered(found: Result) -> dict[int, Result]:
    return {int(name): found[name] for name in sorted(filter(str.isdigit, found), key=int)}


def _at(results: Any, path: str) -> Result:
    for name in path.split("."):
        results = results.get(name, {})
    return results
