from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from jobs.session import spark_session
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_workers_run_the_python_of_the_driver(spark: SparkSession) -> None:
    executables = spark.range(1).mapInArrow(_executable, "executable string").collect()
    assert [row.executable for row in executables] == [sys.executable]


def _executable(batches):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"executable": [sys.executable]})


def test_times_are_utc(spark: SparkSession) -> None:
    assert spark.sql("SELECT string(timestamp_seconds(0)) AS epoch").first()["epoch"] == "1970-01-01 00:00:00"


def test_delta_tables_are_at_hand(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("delta") / "numbers")
    spark.range(3).write.format("delta").save(path)
    assert spark.read.format("delta").load(path).count() == 3


def test_nothing_listens_beyond_this_machine(spark: SparkSession) -> None:
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {connection.laddr.ip for process in family for connection in process.net_connections("tcp")
                 if connection.status == psutil.CONN_LISTEN}
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_there_is_one_session(spark: SparkSession, settings: Settings) -> None:
    assert spark_session(settings, "another name") is spark
