"""Messages of a topic as rows of its table. One that is no such record fails the query, by name; none is dropped."""
from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from jobs.errors import ContractError
from jobs.stream_failure import own_error_text
from jobs.tables import DATE, MESSAGE, Table

UNREADABLE: Final = "_unreadable"  # holds the text when a field is of another type than declared
BASE64: Final = "value_base64"


def raw_rows(messages: DataFrame) -> DataFrame:
    """Rows of `raw`: key and value as they came."""
    named = messages.withColumnRenamed("timestamp", "ingest_time")
    return named.select(*MESSAGE, "key", "value", F.to_date("ingest_time").alias(DATE))


def record_rows(messages: DataFrame, table: Table, features_hash: str) -> DataFrame:
    """Rows of a table whose messages are JSON records.

    `features_hash` names the feature set the table was declared for; records of another are looked at feature by
    feature, so that none is lost because the table has no column for it.
    """
    text = F.col("value").cast("string")
    record = F.from_json(text, _json_schema(table), {"columnNameOfCorruptRecord": UNREADABLE})
    read = messages.select("topic", "partition", "offset", text.alias("text"), record.alias("record"))
    checked = read.select(_complaint_or_record(table, features_hash).alias("record"))
    columns = [F.col(f"record.{_json_name(name)}").alias(name) for name in table.message_schema.names]
    return checked.select(*columns, F.to_date(f"record.{table.dated_by}").alias(DATE))


def _json_schema(table: Table) -> t.StructType:
    """Spark's reader takes base64 for binary fields by itself."""
    fields = [t.StructField(_json_name(field.name), field.dataType) for field in table.message_schema]
    return t.StructType([*fields, t.StructField(UNREADABLE, t.StringType())])


def _json_name(column: str) -> str:
    return BASE64 if column == "value" else column


def _complaint_or_record(table: Table, features_hash: str) -> Column:
    record = F.col("record")
    missing = F.concat_ws(", ", *(F.when(record[name].isNull(), F.lit(name)) for name in table.required))
    checked = F.when(record.isNull() | record[UNREADABLE].isNotNull(), _complain("is no JSON of the declared types"))
    checked = checked.when(missing != "", _complain("lacks ", missing))
    if "features" in table.required:
        foreign = F.array_except(_feature_names(), F.array(*map(F.lit, table.schema["features"].dataType.names)))
        is_foreign = ~record["versions"]["features"].eqNullSafe(features_hash) & (F.size(foreign) > 0)
        checked = checked.when(is_foreign, _complain("has features unknown here: ", F.concat_ws(", ", foreign)))
    return checked.otherwise(record)


def _feature_names() -> Column:
    return F.json_object_keys(F.get_json_object("text", "$.features"))


def _complain(what: str, *more: Column) -> Column:
    """An expression that ends the query with a ContractError about the message."""
    fix = "archive with the version and settings of its writer; if it is no record at all, find who else writes there"
    before, after = own_error_text(ContractError("{}", fix)).split("{}")
    place = F.concat_ws(":", "topic", "partition", "offset")
    return F.raise_error(F.concat(F.lit(before), place, F.lit(f" {what}"), *more, F.lit(after)))
