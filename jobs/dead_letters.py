"""Dead letters to Kafka, sent by the worker that found them: original bytes, coordinates and every reason."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import pyarrow as pa
from kafka import KafkaProducer

from jobs.sections import KafkaSettings

_MAX_REQUEST_BYTES: Final = 4 * 2**20  # the largest raw message, grown by a third in base64, with room

Envelope = tuple[bytes, bytes]


@dataclass(frozen=True)
class DeadLetterWriter:
    """Sends a batch of dead letters (schema parse.DEAD) and waits until the broker has them.

    A retry sends the same keys and bytes again. Connection options are kept out of ``repr``.
    """

    topic: str
    client_options: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, kafka: KafkaSettings) -> DeadLetterWriter:
        """The writer to the dead topic."""
        options = kafka.client_options().items()
        return cls(kafka.topics.dead, tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in options))

    def __repr__(self) -> str:
        return f"DeadLetterWriter(topic={self.topic!r})"

    def __call__(self, dead: pa.RecordBatch) -> None:
        """Send them all; raises KafkaError when one cannot be delivered."""
        if dead.num_rows == 0:
            return
        producer = _producer(self.client_options)
        sent = [producer.send(self.topic, key=key, value=value) for key, value in envelopes(dead)]
        producer.flush()
        for future in sent:
            future.get()


@lru_cache(maxsize=1)
def _producer(client_options: tuple[tuple[str, Any], ...]) -> KafkaProducer:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in client_options}
    return KafkaProducer(**options, acks="all", max_request_size=_MAX_REQUEST_BYTES)


def envelopes(dead: pa.RecordBatch) -> Iterator[Envelope]:
    """``(key, JSON)`` of each dead letter."""
    for row in dead.to_pylist():
        ingest_time = datetime.fromtimestamp(row["ingest_ms"] / 1000, UTC)
        yield envelope(row["topic"], row["partition"], row["offset"], ingest_time, row["reasons"], row["value"])


def envelope(
    topic: str, partition: int, offset: int, ingest_time: datetime, reasons: Sequence[str], value: bytes | None
) -> Envelope:
    """``(key, JSON)`` of a refused record; ``value_base64`` holds its original bytes."""
    record = {"topic": topic, "partition": partition, "offset": offset}
    record |= {"ingest_time": ingest_time.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    record |= {"reasons": reasons, "value_base64": None if value is None else base64.b64encode(value).decode()}
    return f"{topic}:{partition}:{offset}".encode(), msgspec.json.encode(record)
