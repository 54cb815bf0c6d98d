"""The archive job: four topics into four Delta tables, each row exactly once.

    raw     ──► raw      Delta's own sink, which commits a micro-batch together with its number
    alerts  ──► alerts   the same, from committed transactions only
    scored  ──► scored   insert what is not there: the topic may repeat a record
    dead    ──► dead     the same
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

from jobs import pipeline
from jobs.continuity import check_continues
from jobs.errors import ServiceError
from jobs.services.topics import topic_states
from jobs.settings import Settings
from jobs.table_names import ARCHIVED
from jobs.table_rows import raw_rows, record_rows
from jobs.tables import DATE, Table, declared_tables, ensure_tables, table_path

N_ATTEMPTS: Final = 10  # against OPTIMIZE, which may replace files of the same days meanwhile


def start_archive(
    spark: SparkSession, settings: Settings, tables: Sequence[str] = ARCHIVED, *, available_now: bool = False
) -> list[StreamingQuery]:
    """Start a query for each table; with `available_now` they end by themselves once they have read what is there.

    Raises ServiceError without the topics, and CheckpointError when a table and its checkpoint are not of one life.
    """
    features = pipeline.feature_set(settings)
    declared = declared_tables(features.names)
    check_topics(settings, tables)
    for name in tables:
        path = table_path(settings.archive.table_dir, name)
        check_continues(spark, path, f"{settings.stream.checkpoint_dir}/{query_name(name)}", bool(declared[name].key))
    queries = []
    for table in ensure_tables(spark, settings.archive.table_dir, [declared[name] for name in tables]):
        messages = read_topic(spark, settings, getattr(settings.kafka.topics, table.name))
        to_rows = raw_rows if table.name == "raw" else partial(record_rows, table=table, features_hash=features.hash)
        queries.append(write(messages.transform(to_rows), table, settings, available_now))
    return queries


def check_topics(settings: Settings, tables: Sequence[str]) -> None:
    states = topic_states(settings)
    missing = [topic for topic in (getattr(settings.kafka.topics, name) for name in tables) if states[topic] is None]
    if missing:
        raise ServiceError(f"there is no topic {', '.join(missing)}", "create the topics: tidewatch up")


def read_topic(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """A topic from its beginning, committed messages only; lost ones fail the query."""
    return (
        spark.readStream.format("kafka")
        .options(**settings.kafka.spark_options())
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", settings.archive.max_offsets_per_trigger)
        .load()
    )


def write(rows: DataFrame, table: Table, settings: Settings, available_now: bool) -> StreamingQuery:
    path, name = table_path(settings.archive.table_dir, table.name), query_name(table.name)
    interval = f"{settings.archive.trigger_interval_s} seconds"
    trigger: dict[str, Any] = {"availableNow": True} if available_now else {"processingTime": interval}
    writer = rows.writeStream.queryName(name).trigger(**trigger)
    writer = writer.option("checkpointLocation", f"{settings.stream.checkpoint_dir}/{name}")
    if table.key:
        return writer.foreachBatch(partial(insert_new, table, path)).start()
    return writer.format("delta").outputMode("append").start(path)


def insert_new(table: Table, path: str, batch: DataFrame, batch_id: int) -> None:
    """Add the rows whose key the table does not hold; called twice with a batch, it adds nothing the second time."""
    batch = batch.persist()
    try:
        span = _span(batch, table)
        if span.n_keys:
            once = batch if span.n_rows == span.n_keys else batch.dropDuplicates(table.key)  # dear, as it sorts
            _merge(once, path, _same_row(table, span))
    finally:
        batch.unpersist()


def _span(batch: DataFrame, table: Table) -> Row:
    pruned_by = F.col(table.pruned_by)
    spans = batch.agg(
        F.count("*").alias("n_rows"), F.count_distinct(*table.key).alias("n_keys"), F.collect_set(DATE).alias("dates"),
        F.min(pruned_by).alias("least"), F.max(pruned_by).alias("most"))
    return spans.collect()[0]


def _same_row(table: Table, span: Row) -> Column:
    """Equality of keys, with what the batch spans spelled out, so that Delta opens only files that can hold them."""
    same = F.col(f"old.{DATE}").isin(span.dates) & F.col(f"old.{table.pruned_by}").between(span.least, span.most)
    for name in table.key:
        same = same & (F.col(f"old.{name}") == F.col(f"new.{name}"))
    return same


def _merge(rows: DataFrame, path: str, same_row: Column) -> None:
    for attempt in range(1, N_ATTEMPTS + 1):
        old = DeltaTable.forPath(rows.sparkSession, path).alias("old")
        try:
            old.merge(rows.alias("new"), same_row).whenNotMatchedInsertAll().execute()
        except DeltaConcurrentModificationException:
            if attempt == N_ATTEMPTS:
                raise
        else:
            return


def query_name(table: str) -> str:
    return f"archive/{table}"
