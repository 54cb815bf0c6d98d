"""Committed alerts as they come."""

from __future__ import annotations

import json
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from jobs.settings import Settings


class AlertFeed:
    """Reads the alerts topic from its present end on."""

    def __init__(self, settings: Settings) -> None:
        topic = settings.kafka.topics.alerts
        self._consumer = KafkaConsumer(
            **settings.kafka.client_options(), isolation_level="read_committed", enable_auto_commit=False
        )
        partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]
        self._consumer.assign(partitions)
        self._consumer.seek_to_end()
        for partition in partitions:
            self._consumer.position(
                partition
            )  # seeking is lazy: without asking, the end would be that of the first poll

    def poll(self, timeout_ms: int = 300) -> list[dict[str, Any]]:
        """The alerts committed since the last call, waiting a moment for them."""
        records = self._consumer.poll(timeout_ms=timeout_ms)
        return [json.loads(record.value) for found in records.values() for record in found]
