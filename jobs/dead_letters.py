"""Dead letters to Kafka, sent by the worker that found them: original bytes, coordinates and every reason."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from kafka import KafkaProducer
from numpy.typing import NDArray

from jobs.sections import KafkaSettings

_MAX_REQUEST_BYTES: Final = 4 * 2**20  # the largest letter, before compression, with room
_MAX_VALUE_BYTES: Final = 1_500_000  # 2,000,000 in base64: within max.message.bytes of the dead topic
_BATCH_BYTES: Final = 262_144  # letters come in storms; large compressed batches take a fifth of the processor time

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
        n_partitions = len(producer.partitions_for(self.topic))
        sent = [
            producer.send(self.topic, value, key, partition=partition % n_partitions)
            for partition, (key, value) in envelopes(dead)
        ]
        producer.flush()
        for future in sent:
            future.get()


@lru_cache(maxsize=1)
def _producer(client_options: tuple[tuple[str, Any], ...]) -> KafkaProducer:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in client_options}
    return KafkaProducer(
        **options,
        acks="all",
        max_request_size=_MAX_REQUEST_BYTES,
        batch_size=_BATCH_BYTES,
        compression_type="gzip",
        metrics_enabled=False,
    )


def envelopes(dead: pa.RecordBatch) -> Iterator[tuple[int, Envelope]]:
    """The raw partition, and ``(key, JSON)``, of each dead letter."""
    times = instants(dead.column("ingest_ms").to_numpy())
    columns = [dead.column(name).to_pylist() for name in ("topic", "partition", "offset", "reasons", "value")]
    for time, topic, partition, offset, reasons, value in zip(times, *columns, strict=True):
        yield partition, envelope(topic, partition, offset, time, reasons, value)


def instants(epoch_ms: NDArray[np.int64]) -> list[str]:
    """As dead letters have them: 2026-03-01T00:00:00.000Z."""
    texts: list[str] = np.datetime_as_string(epoch_ms.astype("datetime64[ms]"), timezone="UTC").tolist()
    return texts


def envelope(
    topic: str, partition: int, offset: int, ingest_time: str, reasons: Sequence[str], value: bytes | None
) -> Envelope:
    """``(key, JSON)`` of a refused record; ``value_base64`` holds its original bytes.

    It is left out where there are none, and where they are too many for a message: table raw has them.
    """
    record = {"topic": topic, "partition": partition, "offset": offset, "ingest_time": ingest_time, "reasons": reasons}
    if value is not None and len(value) <= _MAX_VALUE_BYTES:
        record["value_base64"] = base64.b64encode(value).decode()
    return f"{topic}:{partition}:{offset}".encode(), msgspec.json.encode(record)
