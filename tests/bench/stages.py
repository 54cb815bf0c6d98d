"""Where the time of a run goes: Spark's own event log, added up by kind of stage and by phase of a micro-batch."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_LOG: Final = {"enabled": "true", "compress": "false", "rolling.enabled": "false"}
EVENT_LOG: Final = {f"spark.eventLog.{key}": value for key, value in _LOG.items()}


def stage_times(folder: Path) -> dict[str, Any]:
    """``phases_ms`` of the query's micro-batches, and ``stages`` with their tasks' seconds, of the newest log."""
    newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    phases: Counter[str] = Counter()
    names: dict[int, str] = {}
    tasks: dict[str, Counter[str]] = defaultdict(Counter)
    for event in _events(newest):
        kind = event["Event"].rpartition(".")[2]
        if kind == "StreamingQueryListener$QueryProgressEvent":
            phases.update(event["progress"]["durationMs"])
        elif kind == "SparkListenerStageSubmitted":
            names[event["Stage Info"]["Stage ID"]] = _name(event["Stage Info"])
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            tasks[names[event["Stage ID"]]].update(_seconds(event))
        elif kind == "SparkListenerStageCompleted":
            tasks[_name(event["Stage Info"])].update(_accumulated(event["Stage Info"]))
    return {"phases_ms": dict(phases), "stages": {name: dict(found) for name, found in tasks.items()}}


def _events(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _name(stage: dict[str, Any]) -> str:
    """The operators in it, as Spark's plan names them."""
    scopes = {json.loads(rdd["Scope"])["name"] for rdd in stage["RDD Info"] if rdd.get("Scope")}
    action = stage["Stage Name"].partition(" ")[0]
    return f"{action}: {', '.join(sorted(scope for scope in scopes if not scope.startswith('WholeStageCodegen')))}"


def _seconds(event: dict[str, Any]) -> Counter[str]:
    metrics = event["Task Metrics"]
    return Counter(
        {
            "tasks": 1,
            "run_s": metrics["Executor Run Time"] / 1e3,
            "jvm_cpu_s": metrics["Executor CPU Time"] / 1e9,
            "gc_s": metrics["JVM GC Time"] / 1e3,
        }
    )


def _accumulated(stage: dict[str, Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in stage["Accumulables"]:
        is_count = str(entry["Value"]).isdigit() and entry["Value"] != "0"
        if is_count and not entry["Name"].startswith("internal."):
            found[entry["Name"]] += int(entry["Value"])
    return found
