"""What leaves the score job, as Kafka messages of JSON: scored records, alerts, and dead letters of refused payments.

jobs/tables.py declares the same records as Delta tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from features.catalogue import FeatureSet
from features.spark import Payments
from features.timeline import Floats
from jobs.dead_letters import envelope, instants
from jobs.row_json import JSON, rows_as_json, utc_ms
from models.scoring import MEMBER_PREFIX

_DECIDED: Final = ("risk_score", "risk_level", "recommendation")

Message = tuple[bytes, bytes]  # key and value


@dataclass(frozen=True)
class Records:
    """Writes the records of one micro-batch. ``stamp`` is what is the same in all: versions, query, batch, time."""

    chosen: FeatureSet
    members: tuple[str, ...]
    stamp: Mapping[str, Any]

    def scored(self, payments: Payments, judged: pd.DataFrame) -> pa.BinaryArray:
        """The record of each payment in the matrix; ``judged`` is what models.scoring.score_block says of them."""
        members = {name: judged[f"{MEMBER_PREFIX}{name}"] for name in self.members}
        columns = {name: column[: len(judged)] for name, column in payments.fields.items()}
        columns |= {name: pa.array(judged[name]) for name in _DECIDED}
        columns["features"] = _struct(dict(zip(self.chosen.names, payments.matrix.T, strict=True)))
        columns["member_scores"] = _struct({name: score.to_numpy() for name, score in members.items()})
        columns["reason_codes"] = _reason_codes(judged)
        return rows_as_json(
            pa.RecordBatch.from_pydict(columns), {"base_currency": self.chosen.base_currency, **self.stamp}
        )

    def alerts(self, scored: pa.BinaryArray, payments: Payments, judged: pd.DataFrame) -> Iterator[Message]:
        """Those of the records that are alerts, grown by their id and the explanation."""
        users, ids = payments.fields["user_id"], payments.fields["transaction_id"]
        for at in np.flatnonzero(judged["is_alert"]).tolist():
            explained = judged["explanation"][at]
            more = {
                "alert_id": alert_id(users[at].as_py(), ids[at].as_py(), payments.refused[at]),
                "base_score": explained["base_score"],
                "contributions": dict(zip(self.chosen.names, explained["contributions"], strict=True)),
                "reasons": explained["reasons"],
            }
            yield users[at].as_py().encode(), scored[at].as_py()[:-1] + b"," + msgspec.json.encode(more)[1:]


def refused(payments: Payments, topic: str) -> Iterator[Message]:
    """Dead letters of the refused; their bytes stay where they are, in the raw table."""
    n = payments.n_payments
    partitions, offsets, times = (payments.fields[name][n:] for name in ("raw_partition", "raw_offset", "ingest_time"))
    ingest_times = instants(utc_ms(times).cast(pa.int64()).to_numpy())
    places = zip(partitions.to_pylist(), offsets.to_pylist(), ingest_times, strict=True)
    for reason, (partition, offset, ingest_time) in zip(payments.refused[n:], places, strict=True):
        yield envelope(topic, partition, offset, ingest_time, [str(reason)], None)


def alert_id(user_id: str, transaction_id: str, reason_refused: str | None = None) -> str:
    """The same in every replay. Of both, since a transaction id is unique for its user only.

    A refused payment that is an alert all the same is another alert than the payment that it repeats.
    """
    named = [user_id, transaction_id, *([reason_refused] if reason_refused else [])]
    return hashlib.sha256(msgspec.json.encode(named)).hexdigest()[:32]


def _struct(columns: Mapping[str, Floats]) -> pa.StructArray:
    """Objects of numbers; NaN is null."""
    numbers = [pa.array(np.ascontiguousarray(column), from_pandas=True) for column in columns.values()]
    return pa.StructArray.from_arrays(numbers, names=list(columns))


def _reason_codes(judged: pd.DataFrame) -> pa.Array:
    codes = ["[]" if explained is None else _codes(explained) for explained in judged["explanation"].tolist()]
    return pa.ExtensionArray.from_storage(JSON, pa.array(codes, pa.string()))


def _codes(explained: Mapping[str, Any]) -> str:
    return msgspec.json.encode([reason["code"] for reason in explained["reasons"]]).decode()
