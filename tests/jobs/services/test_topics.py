from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from jobs.errors import ConfigError, ServiceError, TopicMismatch
from jobs.services.admin import kafka_admin
from jobs.services.topics import (
    FOREVER_MS,
    TopicChange,
    TopicState,
    ensure_topics,
    load_topic_specs,
    set_retention,
    topic_states,
)
from jobs.settings import Settings, load_settings

MEBIBYTE = 2**20
DAY_MS = 86_400_000
IN_2018_MS = 1_522_540_800_000


def state_of(settings: Settings, topic: str) -> TopicState:
    state = topic_states(settings)[topic]
    assert state is not None
    return state


def producer_of(settings: Settings) -> KafkaProducer:
    return KafkaProducer(**settings.kafka.client_options(), max_request_size=4 * MEBIBYTE)


def with_topics_file(folder: Path, text: str) -> Settings:
    original = load_settings().conf_dir
    (folder / "base.yaml").write_text((original / "base.yaml").read_text())
    (folder / "local.yaml").write_text("")
    (folder / "topics.yaml").write_text(text)
    return load_settings(conf_dir=folder)


def test_the_declared_topics_bear_the_names_of_the_settings() -> None:
    settings = load_settings(kafka={"topics": {"raw": "payments"}})
    specs = load_topic_specs(settings)
    assert set(specs) == {"payments", "transactions_scored", "alerts", "transactions_dead", "alerts_batches"}
    assert specs["payments"].kafka_config["retention.ms"] == str(7 * DAY_MS)


def test_a_dead_letter_of_the_largest_raw_message_fits() -> None:
    settings = load_settings()
    specs = load_topic_specs(settings)
    raw, dead = (int(specs[name].kafka_config["max.message.bytes"])
                 for name in (settings.kafka.topics.raw, settings.kafka.topics.dead))
    envelope = 16_384  # coordinates and every reason there is, with room to spare
    assert len(base64.b64encode(bytes(raw))) + envelope < dead


@pytest.mark.parametrize(("text", "said"), [
    ("", "does not declare topics"),
    ("raw: {partitions: 0, config: {}}", "greater than 0"),
    ("raw: {partitions: 1, config: {}, replicas: 3}", "replicas"),
    ("raw: {partitions: 1, config: {unclean: true}}", "unclean"),
    ("raw: {partitions: 1, config: {}}", "declares raw; the settings name alert_batches, alerts, dead, raw, scored"),
])
def test_a_wrong_declaration_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_topic_specs(with_topics_file(tmp_path, text))


@pytest.mark.kafka
def test_topics_are_created_as_declared_and_then_left_alone(on_shared_broker: Settings) -> None:
    topics = on_shared_broker.kafka.topics
    assert ensure_topics(on_shared_broker)[0] == TopicChange(topics.raw, "created, partitions 4")
    assert ensure_topics(on_shared_broker) == []
    assert state_of(on_shared_broker, topics.raw) == TopicState(
        topics.raw, begin_offsets=(0,) * 4, end_offsets=(0,) * 4, cleanup_policy="delete", retention_ms=7 * DAY_MS)
    assert state_of(on_shared_broker, topics.alert_batches).cleanup_policy == "compact"


@pytest.mark.kafka
def test_a_topic_that_is_missing_has_no_state(on_shared_broker: Settings) -> None:
    assert set(topic_states(on_shared_broker).values()) == {None}


@pytest.mark.kafka
def test_drift_is_corrected_and_told(on_shared_broker: Settings) -> None:
    ensure_topics(on_shared_broker)
    raw = on_shared_broker.kafka.topics.raw
    set_retention(on_shared_broker, raw, DAY_MS)
    assert ensure_topics(on_shared_broker) == [TopicChange(raw, f"retention.ms: {DAY_MS} -> {7 * DAY_MS}")]
    assert state_of(on_shared_broker, raw).retention_ms == 7 * DAY_MS


@pytest.mark.kafka
@pytest.mark.parametrize("longer_ms", [FOREVER_MS, 8 * DAY_MS])
def test_a_longer_retention_is_shortened_only_on_request(on_shared_broker: Settings, longer_ms: int) -> None:
    ensure_topics(on_shared_broker)
    raw = on_shared_broker.kafka.topics.raw
    set_retention(on_shared_broker, raw, longer_ms)
    [told] = ensure_topics(on_shared_broker)
    assert f"{longer_ms} kept" in told.what
    assert state_of(on_shared_broker, raw).retention_ms == longer_ms

    ensure_topics(on_shared_broker, may_delete_records=True)
    assert state_of(on_shared_broker, raw).retention_ms == 7 * DAY_MS


@pytest.mark.kafka
def test_another_number_of_partitions_is_an_error_and_nothing_is_touched(on_shared_broker: Settings) -> None:
    topics = on_shared_broker.kafka.topics
    with kafka_admin(on_shared_broker.kafka.client_options()) as admin:
        admin.create_topics({topics.raw: {"num_partitions": 3}}, wait_for_metadata=True)
    with pytest.raises(TopicMismatch, match=f"{topics.raw} has 3 partitions, declared are 4"):
        ensure_topics(on_shared_broker)
    assert topic_states(on_shared_broker)[topics.scored] is None


@pytest.mark.kafka
def test_the_retention_of_an_unknown_topic_cannot_be_set(on_shared_broker: Settings) -> None:
    with pytest.raises(ServiceError, match=on_shared_broker.kafka.topics.raw):
        set_retention(on_shared_broker, on_shared_broker.kafka.topics.raw, DAY_MS)


@pytest.mark.kafka
def test_a_message_of_a_mebibyte_from_long_ago_arrives_whole_with_its_own_time(on_shared_broker: Settings) -> None:
    ensure_topics(on_shared_broker)
    raw = on_shared_broker.kafka.topics.raw
    frame = 100
    with closing(producer_of(on_shared_broker)) as producer:
        producer.send(raw, bytes(MEBIBYTE - frame), partition=0, timestamp_ms=IN_2018_MS).get(timeout=10)
    with closing(KafkaConsumer(**on_shared_broker.kafka.client_options(), consumer_timeout_ms=10_000)) as consumer:
        consumer.assign([TopicPartition(raw, 0)])
        consumer.seek_to_beginning()
        record = next(consumer)
    assert (record.timestamp, len(record.value)) == (IN_2018_MS, MEBIBYTE - frame)


@pytest.mark.kafka
def test_messages_are_counted_over_all_partitions(on_shared_broker: Settings) -> None:
    ensure_topics(on_shared_broker)
    raw = on_shared_broker.kafka.topics.raw
    with closing(producer_of(on_shared_broker)) as producer:
        for partition in (0, 0, 2):
            producer.send(raw, b"{}", partition=partition).get(timeout=10)
    state = state_of(on_shared_broker, raw)
    assert state.end_offsets == (2, 0, 1, 0)
    assert state.n_messages == 3


@pytest.mark.kafka
def test_a_misspelt_topic_is_not_created_by_writing_to_it(on_shared_broker: Settings) -> None:
    with (closing(KafkaProducer(**on_shared_broker.kafka.client_options(), max_block_ms=1_000)) as producer,
          pytest.raises(KafkaError)):
        producer.send(f"{on_shared_broker.kafka.topics.raw}x", b"{}").get(timeout=5)
    with kafka_admin(on_shared_broker.kafka.client_options()) as admin:
        assert f"{on_shared_broker.kafka.topics.raw}x" not in admin.list_topics()


@pytest.mark.kafka
def test_no_kafka_at_the_address_is_an_error_that_names_it() -> None:
    nowhere = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})
    with (pytest.raises(ServiceError, match="127.0.0.1:1"),
          kafka_admin(nowhere.kafka.client_options(), timeout_s=0.5)):
        pass
