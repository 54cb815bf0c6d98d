"""The Spark session of every job, test and notebook: one place for the settings that were measured to matter."""
from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.jars import ensure_jars
from jobs.java import require_java
from jobs.settings import Settings

SUBMITTED = "PYSPARK_GATEWAY_PORT"  # set by spark-submit, which has started the JVM already
STATE_STORE = "spark.sql.streaming.stateStore"
_KEPT_BYTES = str(2**30)
_JVM = (
    "-XX:+UseParallelGC",  # least work for a few cores: G1 collects beside the tasks, and its barriers cost them too
    "-Djdk.lang.Process.launchMechanism=VFORK",  # Hadoop starts a chmod for every file it writes
)


def spark_session(settings: Settings, app_name: str, n_cores: int | None = None) -> SparkSession:
    """The running session, or a new one with `n_cores` local cores instead of spark.master.

    Under spark-submit its master, memory and jars hold, as they were chosen before this program began.
    """
    options = _options(settings)
    if SUBMITTED not in os.environ:
        require_java()
        options["spark.jars"] = ",".join(str(jar) for jar in ensure_jars("spark", settings))
        master = f"local[{n_cores}]" if n_cores else settings.spark.master
        if master:
            options["spark.master"] = master
        if master and master.startswith("local"):
            os.environ["PYSPARK_PYTHON"] = sys.executable  # else workers run another Python
            options |= _local_options(settings)
    builder = SparkSession.builder.appName(app_name)
    for name, value in (options | settings.spark.extra).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _options(settings: Settings) -> dict[str, str]:
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.stream.n_shuffle_partitions),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(settings.spark.arrow_max_records_per_batch),
        # a record may be a user's whole history, so bytes bound a worker's memory better than records do
        "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 2**20),
        # collect_list over more keys than the default of 128 would fall back to sorting
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "1000000",
        # workers keep the memory they have: every batch asks for as much again, and the system clears each page anew
        "spark.executorEnv.MALLOC_MMAP_THRESHOLD_": _KEPT_BYTES,
        "spark.executorEnv.MALLOC_TRIM_THRESHOLD_": _KEPT_BYTES,
        "spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL": "system",
        f"{STATE_STORE}.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
        f"{STATE_STORE}.rocksdb.changelogCheckpointing.enabled": "true",
        f"{STATE_STORE}.rocksdb.trackTotalNumberOfRows": "false",  # counting costs a read per write
        "spark.ui.showConsoleProgress": "false",
    }


def _log4j(settings: Settings) -> Path:
    return settings.conf_dir / "log4j2.properties"


def _local_options(settings: Settings) -> dict[str, str]:
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.driver.extraJavaOptions": " ".join((*_JVM, f"-Dlog4j2.configurationFile={_log4j(settings)}")),
        "spark.ui.enabled": "false",
        "spark.locality.wait": "0",
        # on a cluster the executors' Python environment may not hold our packages before a task brings them
        "spark.python.daemon.module": "jobs.worker_daemon",
        "spark.sql.warehouse.dir": str(settings.var_dir / "warehouse"),
        "spark.databricks.delta.snapshotPartitions": "1",  # 50 by default: tasks that find nothing to do
    }
