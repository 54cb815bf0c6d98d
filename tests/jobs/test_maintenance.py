"""Care of the tables: days that are over compacted, the present one and young files left alone."""
from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.errors import ConfigError
from jobs.maintenance import Need, existing_tables, maintain, scattered_days, survey
from jobs.tables import declared_tables, ensure_tables, table_path

TODAY = date(2026, 3, 2)


def test_a_day_is_compacted_when_it_is_over_and_has_several_files() -> None:
    files = ["date=2026-02-28/a", "date=2026-03-01/a", "date=2026-03-01/b", "date=2026-03-02/a", "date=2026-03-02/b"]
    assert scattered_days([f"file:///x/raw/{file}.parquet" for file in files], TODAY) == {date(2026, 3, 1): 2}


@pytest.mark.spark
def test_maintenance_compacts_what_is_over_and_changes_no_row(spark: SparkSession, tmp_path: Path) -> None:
    (table,) = ensure_tables(spark, str(tmp_path), [declared_tables(())["raw"]])
    path, today = table_path(str(tmp_path), "raw"), datetime.now(UTC).date()
    for offset in range(3):
        rows = [("raw", 0, offset, datetime.now(UTC), None, None, day) for day in (today - timedelta(days=1), today)]
        spark.createDataFrame(rows, table.schema).coalesce(1).write.format("delta").mode("append").save(path)
    assert existing_tables(spark, str(tmp_path), ["raw", "dead"]) == ["raw"]
    assert survey(spark, path, vacuum_hours=168) == Need(n_days=1, n_small_files=3, n_unused_files=0)
    assert _n_files(spark, path) == 6
    assert maintain(spark, path, vacuum_hours=168) == 3
    assert _n_files(spark, path) == 4
    assert [row[0] for row in spark.read.format("delta").load(path).select("offset").sort("offset").collect()] == [
        0, 0, 1, 1, 2, 2]


@pytest.mark.spark
@pytest.mark.parametrize("act", [survey, maintain])
def test_files_a_running_query_may_read_are_not_removed(
    spark: SparkSession, act: Callable[[SparkSession, str, int], object]
) -> None:
    with pytest.raises(ConfigError, match="--vacuum-hours is 24"):
        act(spark, "/nowhere", 24)


def _n_files(spark: SparkSession, path: str) -> int:
    return len(spark.read.format("delta").load(path).inputFiles())
