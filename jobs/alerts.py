"""Alerts to Kafka exactly once: a micro-batch's alerts and a token that says so, in one transaction.

    attempt 1   begin  alert alert alert  token{query, batch 7}  commit
    attempt 2   the last token of this query is batch 7  ->  nothing is sent

Readers with ``isolation_level=read_committed`` see each alert once, however often the process is killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from jobs.errors import CheckpointError, ServiceError, TidewatchError
from jobs.sections import KafkaSettings

Message = tuple[bytes, bytes]
FENCED: Final = (ProducerFencedError, InvalidProducerEpochError)


class AlertProducer:
    """The one transactional producer of a query; a second one with the same query fences the first off."""

    def __init__(self, kafka: KafkaSettings, query_id: str) -> None:
        self._topics, self._query_id = kafka.topics, query_id
        self._producer = KafkaProducer(
            **kafka.client_options(), transactional_id=f"tidewatch-alerts-{query_id}", acks="all", linger_ms=0
        )
        try:
            self._producer.init_transactions()  # first: it ends what a killed process left open
            self._last = _last_token(kafka, query_id)
        except BaseException:
            self.close()
            raise

    def send(self, batch_id: int, alerts: Sequence[Message]) -> bool:
        """Send the alerts of a batch, unless an earlier attempt at it already did; says whether they were sent."""
        if batch_id <= self._last:
            return False
        try:
            self._send_all(batch_id, alerts)
        except KafkaError as error:
            self._abort()
            raise _explained(error, self._query_id, batch_id) from error
        self._last = batch_id
        return True

    def _send_all(self, batch_id: int, alerts: Sequence[Message]) -> None:
        token = {"query_id": self._query_id, "batch_id": batch_id, "n_alerts": len(alerts)}
        self._producer.begin_transaction()
        for key, value in alerts:
            self._producer.send(self._topics.alerts, key=key, value=value)
        self._producer.send(self._topics.alert_batches, key=self._query_id.encode(), value=json.dumps(token).encode())
        self._producer.commit_transaction()

    def _abort(self) -> None:
        with suppress(KafkaError):  # what is left open is ended by the next start
            self._producer.abort_transaction()

    def close(self) -> None:
        """Give the connection back."""
        self._producer.close()


def _explained(error: KafkaError, query_id: str, batch_id: int) -> TidewatchError:
    if any(isinstance(cause, FENCED) for cause in (error, *error.args)):
        return CheckpointError(
            f"another score job has taken over query {query_id}: {error!r}",
            "run one score job per checkpoint: stop the other one, then start this one again",
        )
    return ServiceError(
        f"Kafka did not take the alerts of micro-batch {batch_id}: {error!r}",
        "look at tidewatch status and the broker's log, then start again: nothing is lost or sent twice",
    )


def _last_token(kafka: KafkaSettings, query_id: str) -> int:
    """The last batch of this query whose alerts were committed; -1 when there is none."""
    consumer = KafkaConsumer(
        **kafka.client_options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        partitions = [
            TopicPartition(kafka.topics.alert_batches, p)
            for p in consumer.partitions_for_topic(kafka.topics.alert_batches) or ()
        ]
        if not partitions:
            raise CheckpointError(
                f"topic {kafka.topics.alert_batches} does not exist", "create the topics: tidewatch up"
            )
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends, last = consumer.end_offsets(partitions), -1
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                tokens = [json.loads(record.value)["batch_id"] for record in records if record.key == query_id.encode()]
                last = max([last, *tokens])
        return last
    finally:
        consumer.close()
