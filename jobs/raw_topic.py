"""The raw topic as a sender sees it: one connection, each user's payments in order, every failure reported."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import murmur2

from jobs.errors import ServiceError
from jobs.services.topics import FOREVER_MS, TopicState, set_retention, topic_states
from jobs.settings import Settings

DAY_MS = 86_400_000
MAX_VALUE_BYTES = 1_000_000   # Kafka takes no larger message; the contract refuses far smaller ones
FIX = "look at `tidewatch status` and the broker's log, then send again: repeated payments end as dead letters"


class RawTopic:
    """Sends to the raw topic. After `settle`, and after the `with` block, everything sent is safely in Kafka.

    Large compressed batches and a partition looked up once per user make kafka-python send about twice as much.
    """

    def __init__(self, settings: Settings, linger_ms: int = 50) -> None:
        self.topic = settings.kafka.topics.raw
        self._n_partitions = len(raw_topic_state(settings).end_offsets)
        self._partitions: dict[bytes, int] = {}
        self._unsettled: deque[Any] = deque()
        self._producer = KafkaProducer(
            **settings.kafka.client_options(), linger_ms=linger_ms, batch_size=262_144, compression_type="gzip",
            metrics_enabled=False, delivery_timeout_ms=60_000, allow_auto_create_topics=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self._producer.close(timeout=10)

    def send(self, key: bytes | None, value: bytes, record_ms: int | None = None) -> None:
        """Hand over one message without waiting. `record_ms` is the time Kafka notes, by default that of the call."""
        self._unsettled.append(self._producer.send(
            self.topic, value, key, partition=None if key is None else self._partition(key), timestamp_ms=record_ms))

    def send_all(self, keys: Iterable[bytes | None], values: Iterable[bytes], record_ms: Iterable[int]) -> None:
        """Send a batch and wait for it, so that never more than a batch is in memory."""
        for key, value, at_ms in zip(keys, values, record_ms, strict=True):
            self.send(key, value, at_ms)
        self.settle()

    def check(self) -> None:
        """Forget what has arrived. Raises ServiceError for what Kafka did not take."""
        while self._unsettled and self._unsettled[0].is_done:
            future = self._unsettled.popleft()
            if future.failed():
                raise ServiceError(f"Kafka did not take a message for {self.topic}: {future.exception!r}", FIX)

    def settle(self) -> None:
        """Wait until Kafka has everything. Raises ServiceError for what it did not take."""
        try:
            self._producer.flush()
        except KafkaError as error:
            raise ServiceError(f"Kafka stopped taking messages for {self.topic}: {error!r}", FIX) from error
        self.check()

    def _partition(self, key: bytes) -> int:
        if key not in self._partitions:
            self._partitions[key] = partition_of(key, self._n_partitions)
        return self._partitions[key]


def partition_of(key: bytes, n_partitions: int) -> int:
    """As Kafka's own clients choose it: the hash made positive, modulo the number of partitions."""
    return int((murmur2(key) & 0x7FFFFFFF) % n_partitions)


def raw_topic_state(settings: Settings) -> TopicState:
    """The raw topic as it is now. Raises ServiceError when there is no broker or no topic."""
    name = settings.kafka.topics.raw
    state = topic_states(settings)[name]
    if state is None:
        raise ServiceError(f"there is no topic {name}", "create it with `tidewatch up`")
    return state


def keep_from(settings: Settings, oldest_ms: int, say: Callable[[str], None]) -> None:
    """Lift the topic's retention where it would remove records as old as `oldest_ms`, and say so."""
    state = raw_topic_state(settings)
    age_ms = int(time.time() * 1000) - oldest_ms
    if 0 <= state.retention_ms < age_ms:
        set_retention(settings, state.name, FOREVER_MS)
        say(f"topic {state.name}: retention lifted from {state.retention_ms / DAY_MS:g} days to for ever, as the "
            f"oldest event is {age_ms / DAY_MS:,.0f} days old; `tidewatch up --shorten-retention` sets it back")
