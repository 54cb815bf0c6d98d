"""Spark's event log, added up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.stages import stage_times

PROGRESS = "org.apache.spark.sql.streaming.StreamingQueryListener$QueryProgressEvent"


def stage(number: int, name: str, *accumulables: tuple[str, str]) -> dict[str, Any]:
    scopes = [{"Scope": json.dumps({"name": scope})} for scope in ("MapInArrow", "WholeStageCodegen (1)")]
    named = [{"Name": key, "Value": value} for key, value in accumulables]
    return {"Stage ID": number, "Stage Name": name, "RDD Info": [*scopes, {}], "Accumulables": named}


def task(number: int, run_ms: int, cpu_ns: int) -> dict[str, Any]:
    metrics = {"Executor Run Time": run_ms, "Executor CPU Time": cpu_ns, "JVM GC Time": 100}
    return {"Event": "SparkListenerTaskEnd", "Stage ID": number, "Task Metrics": metrics}


def test_phases_and_stages_of_all_micro_batches_are_added_up(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [{"Event": "SparkListenerApplicationStart"}]
    for number in (1, 2):
        done = stage(number, "save at X.java:0", ("data sent", "30"), ("spill size", "0"), ("internal.metrics.x", "7"))
        events += [{"Event": "SparkListenerStageSubmitted", "Stage Info": stage(number, "save at X.java:0")}]
        events += [task(number, 2_000, 500_000_000), {"Event": "SparkListenerStageCompleted", "Stage Info": done}]
        events += [{"Event": PROGRESS, "progress": {"durationMs": {"addBatch": 400, "walCommit": number}}}]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, events)))
    assert stage_times(tmp_path) == {
        "phases_ms": {"addBatch": 800, "walCommit": 3},
        "stages": {"save: MapInArrow": {"tasks": 2, "run_s": 4.0, "jvm_cpu_s": 1.0, "gc_s": 0.2, "data sent": 60}},
    }
