"""The Delta tables: what each holds, how it is laid out, and what makes a row of it unique.

    raw       every message of the raw topic as it came       by date of Kafka's record time
    scored    every valid payment, its features and scores    by date of event time
    alerts    what was alerted, with reasons                  by date of event time
    dead      what was refused, with every reason             by date of Kafka's record time
    replays   which dead letters were sent again              by date of the sending

Payments lie by event date because backfill and parity ask for event days; a live micro-batch still touches two days at
most, since events further off are dead letters. Everything else lies by the date it came, which is all that is known.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import types as t

from features.transaction import COORDINATES, TEXTS

DATE = "date"
MESSAGE = ("topic", "partition", "offset", "ingest_time")  # with its time, so that a topic made anew is another one

_text, _number, _time, _bytes = t.StringType(), t.DoubleType(), t.TimestampType(), t.BinaryType()
_texts, _numbers = t.ArrayType(_text), t.MapType(_text, _number)


@dataclass(frozen=True)
class Table:
    """One declared table; a column that is not nullable is required, and a message without it is no record.

    `indexed` are the columns whose least and largest value Delta keeps per file. A table with a `key` takes a row once;
    the range of `pruned_by` in a micro-batch says which files can hold its keys.
    """

    name: str
    schema: t.StructType
    dated_by: str
    indexed: tuple[str, ...]
    key: tuple[str, ...] = ()
    pruned_by: str = ""

    @property
    def message_schema(self) -> t.StructType:
        """The JSON of one record: every column but the date, which is derived."""
        return t.StructType([field for field in self.schema if field.name != DATE])

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.message_schema if not field.nullable)


def declared_tables(feature_names: Sequence[str]) -> dict[str, Table]:
    """Every table by name, for the features of one feature set."""
    message, scored = _message_columns(), _scored_columns(feature_names)
    arrival = ("partition", "offset", "ingest_time")
    tables = (
        Table("raw", _schema(message, _columns({"key": _bytes, "value": _bytes})), "ingest_time", arrival),
        Table("scored", _schema(scored), "event_time", ("query_id", "batch_id", "event_time"),
              # not by transaction_id: two users may use the same one, and both payments were scored
              key=("query_id", "batch_id", "raw_partition", "raw_offset"), pruned_by="batch_id"),
        Table("alerts", _schema(scored, _alert_columns()), "event_time", ("event_time", "risk_score")),
        Table("dead", _schema(message, _columns({"reasons": _texts}, ["reasons"]), _columns({"value": _bytes})),
              "ingest_time", arrival, key=(*MESSAGE, "reasons"), pruned_by="ingest_time"),
        Table("replays", _schema(message, _columns({"replayed_at": _time}, ["replayed_at"])), "replayed_at", arrival),
    )
    return {table.name: table for table in tables}


def _message_columns() -> list[t.StructField]:
    return _columns(dict(zip(MESSAGE, (_text, t.IntegerType(), t.LongType(), _time), strict=True)), required=MESSAGE)


def _scored_columns(feature_names: Sequence[str]) -> list[t.StructField]:
    features = t.StructType([t.StructField(name, _number) for name in feature_names])
    columns: dict[str, t.DataType] = {
        "transaction_id": _text, "user_id": _text, "amount": _number, "currency": _text, "amount_base": _number,
        "base_currency": _text, "event_time": _time, "ingest_time": _time, "scored_time": _time,
    }
    columns |= dict.fromkeys((name for name in TEXTS if name not in columns), _text)
    columns |= dict.fromkeys(COORDINATES, _number)
    optional = set(TEXTS) - {"transaction_id", "currency"} | set(COORDINATES)
    columns |= {
        "features": features, "member_scores": _numbers, "risk_score": _number, "risk_level": _text,
        "recommendation": _text, "reason_codes": _texts,
        "versions": t.StructType([t.StructField(of, _text) for of in ("model", "features", "policy", "rates")]),
        "query_id": _text, "batch_id": t.LongType(), "raw_partition": t.IntegerType(), "raw_offset": t.LongType(),
    }
    return _columns(columns, required=set(columns) - optional)


def _alert_columns() -> list[t.StructField]:
    reason = t.StructType([t.StructField(name, kind) for name, kind in (
        ("code", _text), ("feature", _text), ("value", _number), ("contribution", _number), ("text", _text))])
    columns = {"alert_id": _text, "reasons": t.ArrayType(reason), "base_score": _number, "contributions": _numbers}
    return _columns(columns, required=columns)


def _columns(types: Mapping[str, t.DataType], required: Iterable[str] = ()) -> list[t.StructField]:
    return [t.StructField(name, kind, name not in required) for name, kind in types.items()]


def _schema(*columns: list[t.StructField]) -> t.StructType:
    return t.StructType([*(field for part in columns for field in part), t.StructField(DATE, t.DateType(), False)])


def table_path(table_dir: str, name: str) -> str:
    return f"{table_dir.rstrip('/')}/{name}"


def ensure_tables(spark: SparkSession, table_dir: str, tables: Iterable[Table]) -> list[Table]:
    """Make the tables that are missing and add the columns that are; the answer is the tables as they are on disk.

    A table keeps the features of earlier feature sets, so that messages written under one still fit in.
    Raises AnalysisException when a column is there with another type.
    """
    return [_ensured(spark, table_path(table_dir, table.name), table) for table in tables]


def _ensured(spark: SparkSession, path: str, table: Table) -> Table:
    builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(table.schema).partitionedBy(DATE)
    builder = builder.property("delta.dataSkippingStatsColumns", ",".join(table.indexed))
    builder = builder.property("delta.autoOptimize.autoCompact", "false")  # compaction is for `tidewatch maintain`
    actual = builder.execute().toDF().schema
    if not _holds(actual, table.schema):
        spark.createDataFrame([], table.schema).write.format("delta").mode("append").option(
            "mergeSchema", "true").save(path)
        actual = DeltaTable.forPath(spark, path).toDF().schema
    return replace(table, schema=_with_nullability(actual, table.schema))


def _holds(actual: t.StructType, declared: t.StructType) -> bool:
    """Whether every declared column, and every field of a declared struct, is there with its type."""
    return all(field.name in actual.names and _same(actual[field.name].dataType, field.dataType) for field in declared)


def _same(actual: t.DataType, declared: t.DataType) -> bool:
    if isinstance(actual, t.StructType) and isinstance(declared, t.StructType):
        return _holds(actual, declared)
    return actual.simpleString() == declared.simpleString()


def _with_nullability(actual: t.StructType, declared: t.StructType) -> t.StructType:
    required = {field.name for field in declared if not field.nullable}
    return t.StructType([t.StructField(field.name, field.dataType, field.name not in required) for field in actual])
