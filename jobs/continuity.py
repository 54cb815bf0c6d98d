"""Whether a table and the checkpoint it is filled from belong together: both new, or both of one life.

    checkpoint   table          a table that knows its rows by key   a table of Delta's own sink
    new          new or empty   go                                   go
    new          has rows       go: what is there is left out        refuse: every row would come twice
    has begun    gone           refuse: its rows would be missing    refuse: its rows would be missing
    has begun    further on     go: what is there is left out        refuse: Delta skips micro-batches by their number
"""
from __future__ import annotations

import json
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from jobs.errors import CheckpointError
from jobs.files import Files


def check_continues(spark: SparkSession, path: str, folder: str, has_key: bool) -> None:
    """Raise CheckpointError unless the query with checkpoint `folder` may go on writing to the table at `path`."""
    checkpoint = Files(spark, folder)
    begun = [int(name) for name in checkpoint.names("offsets") if name.isdigit()]
    is_there = DeltaTable.isDeltaTable(spark, path)
    if begun and not is_there:
        raise CheckpointError(
            f"{folder} says what was written to {path}, and that table is gone",
            f"bring the table back, or move {folder} away to fill a new one with what Kafka still holds")
    if begun:
        _check_same_life(spark, path, folder, None if has_key else max(begun), checkpoint.read("metadata"))
    elif is_there and not has_key and not spark.read.format("delta").load(path).isEmpty():
        raise CheckpointError(
            f"{path} has rows, and the checkpoint that says which messages they are is gone: {folder}",
            f"bring the checkpoint back, or move {path} away to fill a new one with what Kafka still holds")


def _check_same_life(spark: SparkSession, path: str, folder: str, last_begun: int | None, metadata: str | None) -> None:
    query_id = _query_id(metadata)
    if query_id is None:
        raise CheckpointError(
            f"{folder}/metadata does not name a query: {metadata!r}",
            f"bring it back from a copy, or move {folder} and {path} away to start again with what Kafka still holds")
    written = last_written_batch(spark, path, query_id)
    if last_begun is not None and written > last_begun:
        raise CheckpointError(
            f"{folder} knows micro-batches up to {last_begun}, and {path} holds them up to {written}: the checkpoint "
            "is an old copy, and Delta would take no micro-batch whose number it has seen",
            f"bring a newer copy back, or move {folder} and {path} away to start again with what Kafka still holds")


def _query_id(metadata: str | None) -> str | None:
    try:
        return str(json.loads(metadata or "")["id"])
    except (ValueError, KeyError, TypeError):
        return None


def last_written_batch(spark: SparkSession, path: str, query_id: str) -> int:
    """The number of the last micro-batch that Delta's own sink committed for a query; -1 when there is none."""
    jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - Delta tells these numbers to its own sink only
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)  # noqa: SLF001
    found = log.unsafeVolatileSnapshot().transactions().get(query_id)
    return int(found.get()) if found.isDefined() else -1
