"""What leaves the score job: scored records, alerts and duplicates, as Kafka messages.

One table of the README names every field; jobs/tables.py declares the same records as Delta tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from features.catalogue import FeatureSet
from features.transaction import COORDINATES, TEXTS, Reason
from jobs.sections import Topics

_JSON: Final = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
_PAYMENT: Final = ("user_id", *TEXTS, "amount", "amount_base", *COORDINATES, "event_time", "ingest_time")
_SCORES: Final = ("features", "member_scores", "risk_score", "risk_level", "recommendation", "reason_codes")


def with_messages(decided: DataFrame, topics: Topics, chosen: FeatureSet, stamp: Mapping[str, Any]) -> DataFrame:
    """Kafka rows ``topic, key, value``, and ``alert``: the JSON of the alert where there is one.

    ``decided`` is what models.spark.with_scores adds to features.spark.payment_schema; ``stamp`` holds what is the same
    for the whole batch: versions, query_id, batch_id.
    """
    scored = _scored(chosen, stamp)
    alert = F.when(F.col("is_alert"), F.to_json(F.struct(*scored, *_alert_only(chosen)), _JSON))
    duplicate = F.col("is_duplicate")
    return decided.select(
        F.when(duplicate, F.lit(topics.dead)).otherwise(F.lit(topics.scored)).alias("topic"),
        F.when(duplicate, _dead_key(topics.raw)).otherwise(F.col("user_id")).cast("binary").alias("key"),
        F.when(duplicate, _dead_letter(topics.raw))
        .otherwise(F.to_json(F.struct(*scored), _JSON))
        .cast("binary")
        .alias("value"),
        F.when(~duplicate, alert).cast("binary").alias("alert"),
    )


def _scored(chosen: FeatureSet, stamp: Mapping[str, Any]) -> list[Column]:
    versions = F.struct(*[F.lit(value).alias(name) for name, value in stamp["versions"].items()])
    return [
        *(F.col(name) for name in _PAYMENT),
        F.lit(chosen.base_currency).alias("base_currency"),
        F.current_timestamp().alias("scored_time"),
        *(F.col(name) for name in _SCORES),
        versions.alias("versions"),
        F.lit(stamp["query_id"]).alias("query_id"),
        F.lit(stamp["batch_id"]).alias("batch_id"),
        F.col("raw_partition"),
        F.col("raw_offset"),
    ]


def _alert_only(chosen: FeatureSet) -> list[Column]:
    names = F.array(*(F.lit(name) for name in chosen.names))
    return [
        F.substring(F.sha2("transaction_id", 256), 1, 32).alias("alert_id"),
        F.col("base_score"),
        F.map_from_arrays(names, "contributions").alias("contributions"),
        F.col("reasons"),
    ]


def _dead_key(raw_topic: str) -> Column:
    return F.concat_ws(":", F.lit(raw_topic), "raw_partition", "raw_offset")


def _dead_letter(raw_topic: str) -> Column:
    """A duplicate as a dead letter; its bytes stay where they are, in the raw table."""
    return F.to_json(
        F.struct(
            F.lit(raw_topic).alias("topic"),
            F.col("raw_partition").alias("partition"),
            F.col("raw_offset").alias("offset"),
            "ingest_time",
            F.array(F.lit(Reason.DUPLICATE)).alias("reasons"),
        ),
        _JSON,
    )
