"""The score job: raw transactions in, explained alerts out.

raw topic -> parse -> history (Spark state) -> answer: features, scores, decision, SHAP for alerts, records
               |                                 |-> scored, dead   at least once, same key and bytes
               '-> dead letters                  '-> alerts         exactly once, when all of the batch is answered
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from features import event
from features.catalogue import FeatureSet
from features.limit import FullHour, remembered
from features.parse import Contract
from features.spark import (
    FULL_HOURS,
    ArrivedSince,
    FindPayments,
    History,
    full_hours_text,
    with_events,
    with_histories,
)
from jobs import pipeline
from jobs.alerts import AlertProducer
from jobs.answer import MESSAGES_DDL, Answer
from jobs.champion import Champion, LiveModel
from jobs.checkpoint import START_AFRESH, Checkpoint
from jobs.dead_letters import DeadLetterWriter
from jobs.errors import CheckpointError
from jobs.records import Records
from jobs.settings import Settings
from jobs.tally import EVENTS, Tally, Told
from models.policy import Policy

QUERY: Final = "score"
# full requests: a scored record is 2 kB, and what lingers is flushed when the task ends
SINK_OPTIONS: Final = {"kafka.batch.size": "262144", "kafka.linger.ms": "50"}
Say = Callable[[str], None]


@contextmanager
def scoring(
    spark: SparkSession, settings: Settings, say: Say, *, available_now: bool = False
) -> Iterator[StreamingQuery]:
    """The running query, stopped at the end of the block; ``available_now`` ends it when all that is there is read.

    Raises CheckpointError, ModelError or FeatureError before anything is read if it cannot work.
    """
    chosen, contract = pipeline.feature_set(settings), pipeline.contract(settings)
    history = History.of(chosen, contract)
    checkpoint = Checkpoint(spark, f"{settings.stream.checkpoint_dir}/{QUERY}")
    checkpoint.claim(_state_layout(settings, history))
    tally = Tally(spark.sparkContext, DeadLetterWriter.of(settings.kafka))
    batch = ScoreBatch(spark, settings, checkpoint, tally, say)
    histories = (
        read_raw(spark, settings)
        .transform(with_events, contract, tally.parsed)
        .withWatermark("event_time", f"{_watermark_delay_s(settings)} seconds")
        .transform(with_histories, history)
    )
    trigger: dict[str, Any] = {"availableNow": True} if available_now else _trigger(settings)
    writer = histories.writeStream.queryName(QUERY).outputMode("update").trigger(**trigger).foreachBatch(batch)
    query = writer.option("checkpointLocation", checkpoint.folder).start()
    try:
        yield query
    finally:
        query.stop()
        batch.close()


def read_raw(spark: SparkSession, settings: Settings) -> DataFrame:
    """The raw topic as a stream."""
    return (
        spark.readStream.format("kafka")
        .options(**settings.kafka.spark_options())
        .option("subscribe", settings.kafka.topics.raw)
        .option("startingOffsets", settings.stream.starting_offsets)
        .option("maxOffsetsPerTrigger", settings.stream.max_offsets_per_trigger)
        .option("failOnDataLoss", "true")
        .load()
        .coalesce(settings.stream.n_shuffle_partitions)  # no more tasks than cores, however many partitions
    )


class ScoreBatch:
    """What is done with one micro-batch: its new payments answered in one Spark job, then its alerts sent."""

    def __init__(self, spark: SparkSession, settings: Settings, checkpoint: Checkpoint, tally: Tally, say: Say) -> None:
        self._settings, self._checkpoint, self._tally, self._say = settings, checkpoint, tally, say
        self._features: FeatureSet = pipeline.feature_set(settings)
        self._contract: Contract = pipeline.contract(settings)
        self._policy: Policy = pipeline.policy(settings)
        self._history = History.of(self._features, self._contract)
        self._full_hours: list[FullHour] | None = None  # not known before the first micro-batch
        self._champion = Champion(
            spark.sparkContext, pipeline.registry(settings), self._features, settings.model.poll_interval_s, say
        )
        self._champion.current()  # no model is a mistake to tell now, not in the first micro-batch

    def __call__(self, histories: DataFrame, batch_id: int) -> None:
        """Called by Spark once per micro-batch, again with the same rows when the first attempt did not finish."""
        pinned = self._pinned(batch_id)
        model, policy = self._champion.load(pinned["model"]), Policy(**pinned["policy"])
        full_hours = [FullHour(*hour) for hour in pinned["full_hours"]]
        histories.sparkSession.sparkContext.setLocalProperty(FULL_HOURS, full_hours_text(full_hours))
        is_new = ArrivedSince(self._checkpoint.start_offsets(batch_id, self._settings.kafka.topics.raw))
        answer = Answer(
            FindPayments(self._history, self._features, is_new, self._tally.features),
            model.bundle,
            policy,
            self._settings.stream.max_reasons,
            Records(self._features, model.members, self._stamp(batch_id, pinned, model, policy)),
            self._settings.kafka.topics,
            self._tally.alerts,
        )
        self._tally.take()  # of an attempt in this process that failed
        self._write(histories.mapInArrow(answer, MESSAGES_DDL))
        told = self._tally.take()
        _check_complete(told, batch_id, self._checkpoint.folder)
        if told.alerts:
            self._alerts.send(batch_id, told.alerts)
        self._full_hours = remembered([*full_hours, *told.full_hours], _watermark_delay_s(self._settings))
        self._tell_refused(told, batch_id)

    def _tell_refused(self, told: Told, batch_id: int) -> None:
        if told.refused:
            refused = ", ".join(f"{n:,} {reason}" for reason, n in told.refused.items())
            self._say(f"{QUERY}: batch {batch_id} refused {refused}")

    def close(self) -> None:
        """Give the connection back, if one was made."""
        if "_alerts" in vars(self):
            self._alerts.close()

    def _pinned(self, batch_id: int) -> dict[str, Any]:
        """What this batch is decided with: what an earlier attempt wrote down, or else what is current."""
        made_of = {"features": self._features.hash, "contract": self._contract.version}
        pinned = self._checkpoint.pinned(batch_id)
        if pinned is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            model = self._champion.current().version
            pinned = {"model": model, "policy": asdict(self._policy), "scored_time": now, **made_of}
            pinned["full_hours"] = self._known_full_hours(batch_id)
            self._checkpoint.pin(batch_id, pinned)
        changed = [
            f"{name} was {pinned[name]} and is now {value}" for name, value in made_of.items() if pinned[name] != value
        ]
        if changed:
            raise CheckpointError(
                f"micro-batch {batch_id} was begun with other settings: {'; '.join(changed)}",
                "start once more with the former settings to end that batch, then change them",
            )
        return pinned

    def _known_full_hours(self, batch_id: int) -> list[FullHour]:
        """Hours in which users may pay no more: known from the batch before, after a restart from what that began with.

        Those that are missing cost time and no correctness: features/limit.py finds them again.
        """
        if self._full_hours is not None:
            return self._full_hours
        before = self._checkpoint.pinned(batch_id - 1) or {}
        return before.get("full_hours", []) if before.get("contract") == self._contract.version else []

    def _stamp(self, batch_id: int, pinned: dict[str, Any], model: LiveModel, policy: Policy) -> dict[str, Any]:
        versions = {
            "model": f"{self._settings.model.name}/{model.version}/{model.bundle.value.version}",
            "features": self._features.hash,
            "policy": policy.hash,
            "rates": self._contract.rates.version,
        }
        return {
            "versions": versions,
            "query_id": self._query_id,
            "batch_id": batch_id,
            "scored_time": pinned["scored_time"],
        }

    def _write(self, messages: DataFrame) -> None:
        sink = messages.write.format("kafka")
        sink.options(**self._settings.kafka.spark_options(), **SINK_OPTIONS).save()

    @cached_property
    def _query_id(self) -> str:
        return self._checkpoint.query_id()

    @cached_property
    def _alerts(self) -> AlertProducer:
        return AlertProducer(self._settings.kafka, self._query_id)


def _check_complete(told: Told, batch_id: int, folder: str) -> None:
    """Every event that was parsed must come out as scored or refused; checked before any alert is sent."""
    missing, parsed = told.n_unanswered, told.counts[EVENTS]
    if missing:
        raise CheckpointError(
            f"{missing} of {parsed} payments of micro-batch {batch_id} in {folder} fell behind the watermark: "
            "the partitions of the raw topic are further apart in time than stream.max_partition_drift_s",
            f"raise stream.max_partition_drift_s and {START_AFRESH}",
        )


def _trigger(settings: Settings) -> dict[str, str]:
    return {"processingTime": f"{settings.stream.trigger_interval_s} seconds"}


def _watermark_delay_s(settings: Settings) -> int:
    """No valid record can be further behind the newest one than this, so the watermark drops none."""
    return settings.contract.max_lateness_s + settings.contract.max_skew_s + settings.stream.max_partition_drift_s


def _state_layout(settings: Settings, history: History) -> dict[str, Any]:
    return {
        "event_version": event.VERSION,
        "window_ms": history.length_ms,
        "slide_ms": history.slide_ms,
        "n_shuffle_partitions": settings.stream.n_shuffle_partitions,
        "base_currency": settings.contract.base_currency,
    }
