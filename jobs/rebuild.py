"""The features of past payments, from raw bytes and by the very functions the stream uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from features.catalogue import FeatureSet
from features.parse import Contract
from features.spark import HappenedBetween, History, with_events, with_features, with_histories
from jobs import pipeline
from jobs.champion import load_model
from jobs.days import Days
from jobs.errors import ContractError
from jobs.files import Files
from jobs.settings import Settings
from jobs.tables import table_path
from models.spark import with_scores

ALWAYS: Final = HappenedBetween(-(2**62), 2**62)
PLACE: Final = ("raw_partition", "raw_offset")


@dataclass(frozen=True)
class Recipe:
    """What turns raw records into feature rows."""

    contract: Contract
    features: FeatureSet

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """As the stream is configured."""
        return cls(pipeline.contract(settings), pipeline.feature_set(settings))

    @property
    def history(self) -> History:
        """The windows of the stream."""
        return History.of(self.features, self.contract)

    def features_of(self, raw: DataFrame, when: HappenedBetween = ALWAYS) -> DataFrame:
        """Rows of features.spark.payment_schema for the payments that happened then, refused ones marked."""
        return (
            raw.transform(with_events, self.contract)
            .transform(with_histories, self.history)
            .transform(with_features, self.history, self.features, when)
        )

    def features_on(self, raw_table: DataFrame, days: Days) -> DataFrame:
        """The same for whole days, reading no more of the raw table than their payments can see."""
        when = HappenedBetween(_epoch_ms(days.start), _epoch_ms(days.end))
        return raw_table.transform(self.seen_from, days).transform(self.features_of, when)

    def seen_from(self, raw_table: DataFrame, days: Days) -> DataFrame:
        """The raw records that can matter to payments of these days: by record time, which is all that is known."""
        back, around = (timedelta(milliseconds=ms) for ms in (self.history.back_ms, self.history.ahead_ms))
        start, end = days.start - back - around, days.end + 2 * around
        dates = F.col("date").between(F.lit(start.date()), F.lit(end.date()))
        return raw_table.where(dates & F.col("timestamp").between(F.lit(start), F.lit(end)))

    def flat(self, payments: DataFrame, *decision: str) -> DataFrame:
        """One row per payment that is not refused: ids, time, every feature by name, some of the decision."""
        keys = ("transaction_id", "user_id", "event_time", *PLACE)
        features = [F.col(f"features.{name}").alias(name) for name in self.features.names]
        made_of = F.lit(self.features.hash).alias("feature_set")
        return payments.where("refused IS NULL").select(*keys, *features, *decision, made_of)


def read_raw_table(spark: SparkSession, settings: Settings) -> DataFrame:
    """The archived raw topic: the topic's own columns, and ``date``; raises ContractError when there is none."""
    path = table_path(settings.archive.table_dir, "raw")
    if not Files(spark, path).names("_delta_log"):
        raise ContractError(f"there is no raw table at {path}", "fill it from Kafka: tidewatch archive")
    return spark.read.format("delta").load(path).withColumnRenamed("ingest_time", "timestamp")


def with_model(payments: DataFrame, settings: Settings, version: int, features: FeatureSet) -> DataFrame:
    """Scores of a registered model, through the stream's own UDF; raises ModelError when it cannot be used."""
    bundle = payments.sparkSession.sparkContext.broadcast(load_model(pipeline.registry(settings), version, features))
    return payments.transform(with_scores, bundle, pipeline.policy(settings), features, settings.stream.max_reasons)


def _epoch_ms(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000
