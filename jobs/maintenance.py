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
class Care:
    """What a table needs, or what was done to it. Unused files are of earlier versions, older than the limit."""

    table: str
    n_days: int
    n_small_files: int
    n_unused_files: int

    def line(self, *, done: bool) -> str:
        would = "" if done else "would be "
        return (f"{self.table}: {self.n_small_files:,} files of {self.n_days:,} days {would}compacted, "
                f"{self.n_unused_files:,} unused files {would}removed")


def existing_tables(spark: SparkSession, table_dir: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if DeltaTable.isDeltaTable(spark, table_path(table_dir, name))]


def maintain(spark: SparkSession, table_dir: str, name: str, *, vacuum_hours: int, dry_run: bool) -> Care:
    """Compact the days of a table that are over, and remove files no version of the last `vacuum_hours` uses.

    Raises ConfigError when that limit is below Delta's own.
    """
    if vacuum_hours < MIN_VACUUM_HOURS:
        raise ConfigError(f"--vacuum-hours is {vacuum_hours}: a query that is running may still read files that young",
                          f"take {MIN_VACUUM_HOURS} or more")
    # vacuum lists files in as many tasks as this says: 10,000 by default, minutes for a small table
    spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", spark.sparkContext.defaultParallelism)
    path, today = table_path(table_dir, name), datetime.now(UTC).date()
    table = DeltaTable.forPath(spark, path)
    scattered = scattered_days(table.toDF().inputFiles(), today)
    unused = spark.sql(f"VACUUM delta.`{path}` RETAIN {vacuum_hours} HOURS DRY RUN").count()
    if not dry_run:
        if scattered:
            table.optimize().where(f"{DATE} < '{today}'").executeCompaction()
        table.vacuum(vacuum_hours)
    return Care(name, len(scattered), sum(scattered.values()), unused)


def scattered_days(files: Iterable[str], today: date) -> dict[date, int]:
    """Number of files of each day before `today` that has more than one; a day is a folder `date=2026-01-31`."""
    folders = (part for file in files for part in unquote(file).split("/") if part.startswith(f"{DATE}="))
    counts = Counter(date.fromisoformat(folder.removeprefix(f"{DATE}=")) for folder in folders)
    return {day: n for day, n in sorted(counts.items()) if day < today and n > 1}
