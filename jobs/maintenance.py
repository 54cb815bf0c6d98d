"""Care of the tables, by hand or by a clock, never in a streaming job: small files made large, unused ones removed.

Only days that are over are compacted; the archive job writes mostly to the present one.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import unquote

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from jobs.errors import ConfigError
from jobs.tables import DATE, table_path

MIN_VACUUM_HOURS: Final = 168  # Delta's own limit: a query that started earlier may still read what was replaced since


@dataclass(frozen=True)
class Need:
    """What a table needs: days that lie in several files, and files that only versions older than the limit use."""

    n_days: int
    n_small_files: int
    n_unused_files: int

    def __str__(self) -> str:
        return (f"{self.n_small_files:,} files of {self.n_days:,} days to compact, "
                f"{self.n_unused_files:,} unused files to remove")


def existing_tables(spark: SparkSession, table_dir: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if DeltaTable.isDeltaTable(spark, table_path(table_dir, name))]


def survey(spark: SparkSession, path: str, vacuum_hours: int) -> Need:
    """Look and change nothing. Raises ConfigError when `vacuum_hours` is below Delta's own limit."""
    _check_limit(vacuum_hours)
    _list_in_few_tasks(spark)
    scattered = scattered_days(DeltaTable.forPath(spark, path).toDF().inputFiles(), datetime.now(UTC).date())
    unused = spark.sql(f"VACUUM delta.`{path}` RETAIN {vacuum_hours} HOURS DRY RUN").count()
    return Need(len(scattered), sum(scattered.values()), unused)


def maintain(spark: SparkSession, path: str, vacuum_hours: int) -> int:
    """Compact the days that are over, and remove files that no version of the last `vacuum_hours` uses.

    Returns how many files were compacted. Raises ConfigError when the limit is below Delta's own.
    """
    _check_limit(vacuum_hours)
    _list_in_few_tasks(spark)
    table = DeltaTable.forPath(spark, path)
    done = table.optimize().where(f"{DATE} < '{datetime.now(UTC).date()}'").executeCompaction()
    table.vacuum(vacuum_hours)
    return int(done.select("metrics.numFilesRemoved").collect()[0][0])


def _check_limit(vacuum_hours: int) -> None:
    if vacuum_hours < MIN_VACUUM_HOURS:
        raise ConfigError(f"--vacuum-hours is {vacuum_hours}: a query that is running may still read files that young",
                          f"take {MIN_VACUUM_HOURS} or more")


def _list_in_few_tasks(spark: SparkSession) -> None:
    """Vacuum lists folders in 10,000 tasks by default, which is minutes of nothing on one machine."""
    spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", spark.sparkContext.defaultParallelism)


def scattered_days(files: Iterable[str], today: date) -> dict[date, int]:
    """Number of files of each day before `today` that has more than one; a day is a folder `date=2026-01-31`."""
    folders = (part for file in files for part in unquote(file).split("/") if part.startswith(f"{DATE}="))
    counts = Counter(date.fromisoformat(folder.removeprefix(f"{DATE}=")) for folder in folders)
    return {day: n for day, n in sorted(counts.items()) if day < today and n > 1}
