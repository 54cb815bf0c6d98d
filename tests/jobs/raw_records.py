"""What lies in the raw topic, for tests."""
from __future__ import annotations

from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from jobs.raw_topic import raw_topic_state
from jobs.settings import Settings


def raw_records(settings: Settings) -> list[Any]:
    """Every record (key, value, timestamp, partition, offset), partition after partition, each in offset order."""
    ends = raw_topic_state(settings).end_offsets
    partitions = [TopicPartition(settings.kafka.topics.raw, number) for number in range(len(ends))]
    found: list[Any] = []
    with closing(KafkaConsumer(**settings.kafka.client_options(), auto_offset_reset="earliest")) as consumer:
        consumer.assign(partitions)
        while len(found) < sum(ends):
            for batch in consumer.poll(timeout_ms=1000).values():
                found += batch
    return sorted(found, key=lambda record: (record.partition, record.offset))
