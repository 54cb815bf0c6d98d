"""The tables as declared: one definition, made once, grown by a new feature and never narrowed."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import types as t

from features.catalogue import FeatureSet
from jobs.table_names import MAINTAINED
from jobs.tables import declared_tables, ensure_tables, table_path
from tests.jobs import records

NAMES = FeatureSet().names


def features_of(table_schema: t.StructType) -> list[str]:
    return table_schema["features"].dataType.names


def ensured(spark: SparkSession, folder: Path, features: Sequence[str]) -> list[str]:
    """Ensure the table scored for these features; its features as the archive job will read them."""
    (table,) = ensure_tables(spark, str(folder), [declared_tables(features)["scored"]])
    return features_of(table.schema)


def version(spark: SparkSession, folder: Path) -> int:
    return int(DeltaTable.forPath(spark, table_path(str(folder), "scored")).history(1).collect()[0]["version"])


def test_a_scored_record_has_a_column_for_every_field() -> None:
    columns = declared_tables(NAMES)["scored"].message_schema.names
    assert set(records.scored(1, FeatureSet())) <= set(columns)


def test_an_alert_is_a_scored_record_and_more() -> None:
    tables = declared_tables(NAMES)
    more = set(tables["alerts"].schema.names) - set(tables["scored"].schema.names)
    assert more == {"alert_id", "reasons", "base_score", "contributions"}


def test_the_features_are_those_of_the_feature_set_in_its_order() -> None:
    assert features_of(declared_tables(NAMES)["scored"].schema) == list(NAMES)


def test_a_payment_may_lack_what_its_sender_may_leave_out_and_nothing_else() -> None:
    required = set(declared_tables(NAMES)["scored"].required)
    assert required >= {"transaction_id", "user_id", "amount", "event_time", "features", "query_id", "batch_id"}
    assert not required & {"merchant_id", "latitude", "ip", "counterparty_name", "date"}


def test_the_names_for_the_command_line_are_the_declared_ones_and_that_of_backfill() -> None:
    assert set(MAINTAINED) == {*declared_tables(NAMES), "features"}


@pytest.mark.spark
def test_tables_are_made_once_and_grow_by_new_features_only(spark: SparkSession, tmp_path: Path) -> None:
    assert ensured(spark, tmp_path, ["a", "b"]) == ["a", "b"]
    assert ensured(spark, tmp_path, ["a", "b"]) == ["a", "b"]
    assert version(spark, tmp_path) == 0
    assert ensured(spark, tmp_path, ["b", "c"]) == ["a", "b", "c"]
    assert version(spark, tmp_path) == 1


@pytest.mark.spark
def test_a_new_table_lies_by_date_and_counts_only_the_indexed_columns(spark: SparkSession, tmp_path: Path) -> None:
    ensured(spark, tmp_path, ["a"])
    detail = DeltaTable.forPath(spark, table_path(str(tmp_path), "scored")).detail().collect()[0]
    assert detail.partitionColumns == ["date"]
    assert detail.properties["delta.dataSkippingStatsColumns"] == "query_id,batch_id,event_time"
