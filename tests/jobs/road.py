"""The whole road in small: simulated payments to Kafka, scored and archived, in topics and folders of a test's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import SparkSession

from features import event
from features.kernel import compute
from features.parse import RAW_COLUMNS, parse
from jobs import pipeline
from jobs.archive import start_archive
from jobs.raw_topic import RawTopic
from jobs.score import scoring
from jobs.services.topics import ensure_topics
from jobs.settings import Settings, load_settings
from jobs.simulate.dirt import Dirt
from jobs.simulate.render import Messages
from jobs.simulate.stream import history_messages
from jobs.simulate.world import World
from models.bundle import Bundle, save_bundle
from models.isolation_forest import IsolationForest
from models.training import Recipe, TrainingSet, fit_bundle

DAY_MS = 86_400_000


def own_settings(shared: Settings, folder: Path, **overrides: Any) -> Settings:
    """The shared broker, with topics, tables, checkpoints and models of the test's own; the topics exist."""
    prefix = f"{folder.name}-"
    names = shared.kafka.topics.model_dump()
    topics = {role: f"{prefix}{name}" for role, name in names.items()}
    ports = {"port": shared.broker.port, "controller_port": shared.broker.controller_port}
    settings = load_settings(var_dir=folder, broker=ports, kafka={"topics": topics}, **overrides)
    ensure_topics(settings)
    return settings


def simulated(n_users: int, days: float, dirt: Dirt, n_attacks: int = 6, seed: int = 5) -> list[Messages]:
    """A history that ends now."""
    end_ms = int(time.time() * 1000)
    world = World.create(seed=seed, n_users=n_users)
    return list(history_messages(world, end_ms - int(days * DAY_MS), end_ms, n_attacks, dirt))


def send(settings: Settings, batches: list[Messages]) -> None:
    """Each message with its own record time."""
    with RawTopic(settings) as raw:
        for batch in batches:
            raw.send_all(batch.key, batch.value, batch.record_ms.tolist())


def trained_bundle(settings: Settings, batches: list[Messages], *, seed: int = 7, n_trees: int = 50) -> Bundle:
    """A small forest on the features of these messages, computed without Spark."""
    chosen, n = pipeline.feature_set(settings), sum(len(batch.value) for batch in batches)
    record_ms = np.concatenate([batch.record_ms for batch in batches])
    columns = [
        pa.array(["raw"] * n),
        pa.array(np.zeros(n, np.int32)),
        pa.array(np.arange(n)),
        pa.array(record_ms * 1000, pa.timestamp("us", "UTC")),
        pa.array([value for batch in batches for value in batch.value], pa.binary()),
    ]
    events = parse(pa.RecordBatch.from_arrays(columns, names=list(RAW_COLUMNS)), pipeline.contract(settings)).events
    users = np.unique(events.column("user_id").to_numpy(zero_copy_only=False), return_inverse=True)[1]
    heads = event.unpack_heads(events.column("event"))
    matrix = compute(users, heads, np.ones(len(heads), bool), chosen).matrix
    rows = TrainingSet(matrix, chosen, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    forest = Recipe("isolation_forest", partial(IsolationForest.fit, n_estimators=n_trees))
    return fit_bundle(rows, [forest], contamination=0.01, seed=seed, created_at=datetime(2026, 1, 3, tzinfo=UTC))


def register(settings: Settings, bundle: Bundle, folder: Path) -> int:
    """Publish as @champion."""
    save_bundle(bundle, folder)
    return pipeline.registry(settings).register(folder, {}, {}, alias="champion")


def score_all(spark: SparkSession, settings: Settings, said: list[str] | None = None) -> None:
    """Score what is in the raw topic, then stop."""
    with scoring(spark, settings, (said if said is not None else []).append, available_now=True) as query:
        query.awaitTermination()


def archive_all(spark: SparkSession, settings: Settings) -> None:
    """Archive what is in the topics, then stop."""
    for query in start_archive(spark, settings, available_now=True):
        query.awaitTermination()


def read_topic(settings: Settings, topic: str) -> Iterator[dict[str, Any]]:
    """Every committed message, decoded."""
    yield from (msgspec.json.decode(record.value) for record in read_records(settings, topic))


def read_records(settings: Settings, topic: str, since_ms: int = 0) -> Iterator[Any]:
    """Every committed message with its key, time and place, from the first that is dated so or later."""
    consumer = KafkaConsumer(
        **settings.kafka.client_options(), isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        for partition, first in consumer.offsets_for_times(dict.fromkeys(partitions, since_ms)).items():
            consumer.seek(partition, first.offset if first else ends[partition])
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                yield from records
    finally:
        consumer.close()


def dirt_sent(batches: list[Messages]) -> Counter[str]:
    """How often each kind of dirt was put in."""
    kinds = (kind for batch in batches for kind in batch.labels.column("dirt").to_pylist())
    return Counter(kind for kind in kinds if kind)
