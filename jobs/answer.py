"""One hop through Python for a micro-batch: histories in; scored records, refused ones and, aside, alerts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import pyarrow as pa
from pyspark import Broadcast

from features.spark import FindPayments, Payments
from jobs.records import Message, Records, refused
from jobs.sections import Topics
from models.bundle import Bundle
from models.policy import Policy
from models.scoring import score_block

MESSAGES: Final = pa.schema({"topic": pa.string(), "key": pa.binary(), "value": pa.binary()})
MESSAGES_DDL: Final = "topic string, key binary, value binary"


@dataclass(frozen=True)
class Answer:
    """For ``DataFrame.mapInArrow``: finds the new payments, scores and decides them, and writes their records.

    ``on_alerts`` is called in the worker with the alerts of every Arrow batch, at least once.
    """

    find: FindPayments
    bundle: Broadcast[Bundle]
    policy: Policy
    max_reasons: int
    records: Records
    topics: Topics
    on_alerts: Callable[[Sequence[Message]], None]

    def __call__(self, histories: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of histories to batches of MESSAGES."""
        for batch in histories:
            payments = self.find(batch)
            judged = self._judged(payments)
            scored, n = self.records.scored(payments, judged), payments.n_payments
            self.on_alerts(list(self.records.alerts(scored, payments, judged)))
            yield _messages(self.topics.scored, payments.fields["user_id"][:n].cast(pa.binary()), scored[:n])
            if n < len(payments.refused):
                keys, values = zip(*refused(payments, self.topics.raw), strict=True)
                yield _messages(self.topics.dead, pa.array(keys, pa.binary()), pa.array(values, pa.binary()))

    def _judged(self, payments: Payments) -> pd.DataFrame:
        matrix, reached_limit = payments.matrix, payments.reached_limit[: len(payments.matrix)]
        return score_block(
            self.bundle.value, matrix, self.policy, self.find.chosen, self.max_reasons, reached_limit
        )


def _messages(topic: str, keys: pa.BinaryArray, values: pa.BinaryArray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(topic), len(keys)), keys, values], schema=MESSAGES)
