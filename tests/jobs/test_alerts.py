"""Exactly-once alerts on a real broker, as a read_committed reader sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.alerts import AlertProducer
from jobs.errors import CheckpointError, ServiceError
from jobs.settings import Settings
from tests.jobs import road

pytestmark = pytest.mark.kafka


@pytest.fixture
def own(broker: Settings, tmp_path: Path) -> Settings:
    return road.own_settings(broker, tmp_path)


def alerts(*numbers: int) -> list[tuple[bytes, bytes]]:
    return [(b"user", b'{"n":%d}' % number) for number in numbers]


def seen(own: Settings) -> list[int]:
    return [alert["n"] for alert in road.read_topic(own, own.kafka.topics.alerts)]


def test_a_batch_sent_again_is_skipped_also_by_a_new_process(own: Settings) -> None:
    first = AlertProducer(own.kafka, "query")
    assert first.send(0, alerts(1, 2))
    assert not first.send(0, alerts(1, 2))
    first.close()
    second = AlertProducer(own.kafka, "query")
    assert not second.send(0, alerts(1, 2))
    assert second.send(1, alerts(3))
    second.close()
    assert seen(own) == [1, 2, 3]


def test_a_transaction_that_was_left_open_is_never_seen(own: Settings) -> None:
    killed = AlertProducer(own.kafka, "query")
    killed._producer.begin_transaction()
    killed._producer.send(own.kafka.topics.alerts, key=b"user", value=b'{"n":1}')
    killed._producer.flush()
    successor = AlertProducer(own.kafka, "query")
    assert successor.send(0, alerts(1))
    successor.close()
    killed._producer.close(timeout=0)
    assert seen(own) == [1]


def test_an_alert_that_cannot_be_sent_takes_its_whole_batch_back(own: Settings) -> None:
    producer = AlertProducer(own.kafka, "query")
    with pytest.raises(ServiceError, match="MessageSizeTooLarge"):
        producer.send(0, [*alerts(1), (b"user", b"x" * 3_000_000)])
    assert producer.send(0, alerts(1, 2))
    producer.close()
    assert seen(own) == [1, 2]


def test_a_second_job_on_the_same_query_ends_the_first(own: Settings) -> None:
    first = AlertProducer(own.kafka, "query")
    second = AlertProducer(own.kafka, "query")
    with pytest.raises(CheckpointError, match="taken over") as caught:
        first.send(0, alerts(1))
    assert "one score job per checkpoint" in caught.value.fix
    assert second.send(0, alerts(1))
    first.close()
    second.close()
    assert seen(own) == [1]


def test_each_query_has_its_own_count(own: Settings) -> None:
    for query in ("one", "other"):
        producer = AlertProducer(own.kafka, query)
        assert producer.send(0, alerts(1))
        producer.close()
    assert seen(own) == [1, 1]


def test_missing_topics_are_named(broker: Settings, tmp_path: Path) -> None:
    kafka = broker.kafka.model_copy(update={"topics": broker.kafka.topics.model_copy(update={"alert_batches": "none"})})
    with pytest.raises(CheckpointError, match="none"):
        AlertProducer(kafka, "query")
