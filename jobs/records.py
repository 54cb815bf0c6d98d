"""What leaves the score job: scored records, alerts and duplicates, as Kafka messages.

jobs/tables.py declares the same records as Delta tables. The records are written as SQL text: a column of the DataFrame
API costs a call into the JVM for every name in it, and there are over a hundred, in every micro-batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyspark.sql import DataFrame

from features.catalogue import FeatureSet
from features.transaction import COORDINATES, TEXTS, Reason
from jobs.sections import Topics

_PAYMENT: Final = ("user_id", *TEXTS, "amount", "amount_base", *COORDINATES, "event_time", "ingest_time")
_SCORES: Final = ("features", "member_scores", "risk_score", "risk_level", "recommendation", "reason_codes")
_PLACE: Final = ("raw_partition", "raw_offset")
_RFC3339: Final = "map('timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\")"


def with_messages(decided: DataFrame, topics: Topics, chosen: FeatureSet, stamp: Mapping[str, Any]) -> DataFrame:
    """Kafka rows ``topic, key, value``, and ``alert``: the JSON of the alert where there is one.

    ``decided`` is what models.spark.with_scores adds to features.spark.payment_schema; ``stamp`` holds what is the same
    for the whole batch: versions, query_id, batch_id, scored_time (RFC 3339).
    """
    scored = _scored(chosen, stamp)
    alert = _json(scored | _alert_only(chosen))
    dead_key = f"concat_ws(':', '{topics.raw}', raw_partition, raw_offset)"
    return decided.selectExpr(
        f"if(is_duplicate, '{topics.dead}', '{topics.scored}') AS topic",
        f"binary(if(is_duplicate, {dead_key}, user_id)) AS key",
        f"binary(if(is_duplicate, {_json(_dead_letter(topics.raw))}, {_json(scored)})) AS value",
        f"binary(if(is_alert AND NOT is_duplicate, {alert}, NULL)) AS alert",
    )


def _json(fields: Mapping[str, str]) -> str:
    """SQL that writes an object of these fields, each given as SQL; a null field is left out."""
    return f"to_json(struct({', '.join(f'{sql} AS {name}' for name, sql in fields.items())}), {_RFC3339})"


def _scored(chosen: FeatureSet, stamp: Mapping[str, Any]) -> dict[str, str]:
    versions = ", ".join(f"'{version}' AS {name}" for name, version in stamp["versions"].items())
    return {
        **{name: name for name in _PAYMENT},
        "base_currency": f"'{chosen.base_currency}'",
        "scored_time": f"timestamp'{stamp['scored_time']}'",
        **{name: name for name in _SCORES},
        "versions": f"struct({versions})",
        "query_id": f"'{stamp['query_id']}'",
        "batch_id": f"bigint({stamp['batch_id']})",
        **{name: name for name in _PLACE},
    }


def _alert_only(chosen: FeatureSet) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in chosen.names)
    return {
        # of both, since a transaction id is unique for its user only
        "alert_id": "substring(sha2(to_json(array(user_id, transaction_id)), 256), 1, 32)",
        "base_score": "base_score",
        "contributions": f"map_from_arrays(array({names}), contributions)",
        "reasons": "reasons",
    }


def _dead_letter(raw_topic: str) -> dict[str, str]:
    """A duplicate as a dead letter; its bytes stay where they are, in the raw table."""
    return {
        "topic": f"'{raw_topic}'",
        "partition": "raw_partition",
        "offset": "raw_offset",
        "ingest_time": "ingest_time",
        "reasons": f"array('{Reason.DUPLICATE}')",
    }
