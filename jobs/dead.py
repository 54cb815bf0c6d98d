"""Dead letters in the archive: which were refused, why, what they were, and which may be sent again.

    dead ──► chosen ──► with key and bytes of raw ──► fate: send | duplicate | replayed | other_topic | not_archived
"""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from features.transaction import Reason
from jobs.errors import ContractError
from jobs.settings import Settings
from jobs.tables import DATE, MESSAGE, declared_tables, ensure_tables, table_path

SEND: Final = "send"
KEPT_BACK: Final = {
    "duplicate": "duplicates: the same transaction was scored, and another copy would be a duplicate again",
    "replayed": "sent before; --force sends them again",
    "other_topic": "not of the present raw topic",
    "not_archived": "not in the table raw yet, which knows their keys; run `tidewatch archive`",
}


@dataclass(frozen=True)
class Choice:
    """Which dead letters: any of `reasons` (with or without `:field`), refused from `since` on and before `until`."""

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __call__(self, letters: DataFrame) -> DataFrame:
        """As a transformation of the table dead."""
        if self.since:
            letters = letters.where((F.col(DATE) >= self.since.date()) & (F.col("ingest_time") >= F.lit(self.since)))
        if self.until:
            letters = letters.where((F.col(DATE) <= self.until.date()) & (F.col("ingest_time") < F.lit(self.until)))
        return letters.where(self._has_reason()) if self.reasons else letters

    def _has_reason(self) -> Column:
        kinds = F.transform("reasons", lambda reason: F.substring_index(reason, ":", 1))
        wanted = F.array(*map(F.lit, self.reasons))
        return F.arrays_overlap("reasons", wanted) | F.arrays_overlap(kinds, wanted)


def with_originals(letters: DataFrame, raw: DataFrame) -> DataFrame:
    """Add `key`, `is_archived`, and the bytes of letters that do not carry them, from the table raw."""
    theirs = raw.select(*MESSAGE, DATE, "key", F.col("value").alias("raw_value"), F.lit(True).alias("is_archived"))
    joined = letters.join(theirs, [*MESSAGE, DATE], "left")
    return joined.withColumn("value", F.coalesce("value", "raw_value")).drop("raw_value").fillna(False, ["is_archived"])


def with_fate(letters: DataFrame, replayed: DataFrame, raw_topic: str) -> DataFrame:
    """Add `fate`: send, or why not."""
    noted = replayed.select(*MESSAGE).distinct().withColumn("is_noted", F.lit(True))
    fate = F.when(F.array_contains("reasons", Reason.DUPLICATE), "duplicate").when(F.col("is_noted"), "replayed")
    fate = fate.when(F.col("topic") != raw_topic, "other_topic").when(~F.col("is_archived"), "not_archived")
    return letters.join(noted, list(MESSAGE), "left").withColumn("fate", fate.otherwise(SEND)).drop("is_noted")


def read_letters(spark: SparkSession, settings: Settings, choice: Choice) -> DataFrame:
    """The chosen dead letters. Raises ContractError when nothing was archived yet."""
    return _read(spark, settings, "dead").transform(choice)


def newest(spark: SparkSession, settings: Settings, letters: DataFrame, limit: int) -> list[Row]:
    """The last `limit` letters, newest first, with their bytes and `refused_at` as text."""
    last = letters.orderBy(F.desc("ingest_time"), "partition", F.desc("offset")).limit(limit)
    shown = last.transform(with_originals, _read(spark, settings, "raw"))
    at = F.date_format("ingest_time", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").alias("refused_at")
    return shown.orderBy(F.desc("ingest_time"), "partition", F.desc("offset")).select("*", at).collect()


def count_reasons(letters: DataFrame) -> dict[str, int]:
    """How many letters have each reason, the most frequent first; a letter may have several."""
    counts = letters.select(F.explode("reasons").alias("reason")).groupBy("reason").count()
    return {row["reason"]: row["count"] for row in counts.orderBy(F.desc("count"), "reason").collect()}


def replayable(spark: SparkSession, settings: Settings, choice: Choice, *, force: bool) -> DataFrame:
    """The chosen letters, each message once, with bytes, key and fate; `force` forgets earlier replays."""
    replays, = ensure_tables(spark, settings.archive.table_dir, [declared_tables(())["replays"]])
    noted = _read(spark, settings, replays.name).where(F.lit(not force))
    letters = read_letters(spark, settings, choice).dropDuplicates(MESSAGE)
    originals = letters.transform(with_originals, _read(spark, settings, "raw"))
    return originals.transform(with_fate, noted, settings.kafka.topics.raw)


def count_fates(letters: DataFrame) -> dict[str, int]:
    return {row["fate"]: row["count"] for row in letters.groupBy("fate").count().collect()}


def _read(spark: SparkSession, settings: Settings, name: str) -> DataFrame:
    path = table_path(settings.archive.table_dir, name)
    if not DeltaTable.isDeltaTable(spark, path):
        raise ContractError(f"there is no table {path}", "fill it from Kafka: tidewatch archive")
    return spark.read.format("delta").load(path)
