from __future__ import annotations

import time

import pytest
from pyspark.sql import SparkSession

from jobs.errors import ServiceError
from jobs.raw_topic import RawTopic, raw_topic_state
from jobs.services.topics import FOREVER_MS, ensure_topics
from jobs.settings import Settings
from jobs.simulate.dirt import Dirt
from jobs.simulate.payment import DAY_MS, HOUR_MS
from jobs.simulate.render import Messages
from jobs.simulate.stream import bulk_messages, history_messages, live_messages
from jobs.simulate.to_bulk import send_bulk
from jobs.simulate.to_kafka import send_history, send_live
from jobs.simulate.world import World
from tests.jobs.raw_records import raw_records
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL

pytestmark = pytest.mark.kafka


@pytest.fixture
def with_topics(on_shared_broker: Settings) -> Settings:
    ensure_topics(on_shared_broker)
    return on_shared_broker


def sent(messages: list[Messages]) -> list[tuple[bytes, bytes]]:
    return sorted((key, value) for batch in messages for key, value in zip(batch.key, batch.value, strict=True))


def nothing(_: object) -> None:
    pass


def test_a_history_arrives_whole_with_the_record_times_of_the_simulation(with_topics: Settings) -> None:
    messages = list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + DAY_MS, 3, Dirt(late=0.02, duplicate=0.02)))
    send_history(with_topics, messages, MONDAY_MS, say=nothing, advance=nothing)
    found = raw_records(with_topics)
    assert sorted((record.key, record.value) for record in found) == sent(messages)
    assert sorted(record.timestamp for record in found) == [ms for batch in messages for ms in batch.record_ms.tolist()]


def test_a_user_stays_in_one_partition_and_in_order(with_topics: Settings) -> None:
    messages = list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + DAY_MS))
    send_history(with_topics, messages, MONDAY_MS, say=nothing, advance=nothing)
    found = raw_records(with_topics)
    assert len({(record.key, record.partition) for record in found}) == len({record.key for record in found})
    for partition in range(4):
        times = [record.timestamp for record in found if record.partition == partition]
        assert times == sorted(times)
        assert times


def test_an_old_history_lifts_the_retention_and_says_so(with_topics: Settings) -> None:
    said: list[str] = []
    send_history(with_topics, [], int(time.time() * 1000) - 8 * DAY_MS, say=said.append, advance=nothing)
    assert raw_topic_state(with_topics).retention_ms == FOREVER_MS
    assert "retention lifted from 7 days" in said[0]


def test_a_young_history_leaves_the_retention(with_topics: Settings) -> None:
    send_history(with_topics, [], int(time.time() * 1000) - 6 * DAY_MS, say=pytest.fail, advance=nothing)
    assert raw_topic_state(with_topics).retention_ms == 7 * DAY_MS


def test_live_traffic_is_sent_when_it_is_due(with_topics: Settings) -> None:
    start_ms = int(time.time() * 1000) + 300
    messages = list(live_messages(SMALL, rate_per_s=50, start_ms=start_ms, duration_s=2))
    with RawTopic(with_topics, linger_ms=0) as raw:
        pace = send_live(raw, messages, nothing)
    due = {value: ms for batch in messages for value, ms in zip(batch.value, batch.record_ms.tolist(), strict=True)}
    delay_ms = sorted(record.timestamp - due[record.value] for record in raw_records(with_topics))
    assert pace.n == len(delay_ms) == 100
    assert delay_ms[0] >= -2   # the clock of the schedule and that of the record are read apart
    assert delay_ms[50] < 100


def test_a_sender_behind_schedule_leaves_nothing_out_and_says_how_late_it_was(with_topics: Settings) -> None:
    begun_ms = int(time.time() * 1000) - 1000
    messages = live_messages(SMALL, rate_per_s=100, start_ms=begun_ms, duration_s=1)
    with RawTopic(with_topics) as raw:
        pace = send_live(raw, messages, nothing)
    assert len(raw_records(with_topics)) == 100
    assert pace.n_late >= 90
    assert pace.worst_s >= 1


def test_without_the_topic_the_next_step_is_named(on_shared_broker: Settings) -> None:
    with pytest.raises(ServiceError, match="tidewatch up"):
        RawTopic(on_shared_broker)


@pytest.mark.spark
def test_bulk_sends_everything_through_spark_with_each_users_payments_in_order(
    with_topics: Settings, spark: SparkSession
) -> None:
    world, until_ms = World.create(seed=2, n_users=50), int(time.time() * 1000)
    messages = list(bulk_messages(world, MONDAY_MS, MONDAY_MS + 2 * DAY_MS, until_ms, HOUR_MS // 2, 3))
    send_bulk(with_topics, messages, say=nothing, advance=nothing)
    found = raw_records(with_topics)
    assert sorted((record.key, record.value) for record in found) == sent(messages)
    for user in {record.key for record in found}:
        own = [value for batch in messages for key, value in zip(batch.key, batch.value, strict=True) if key == user]
        assert [record.value for record in found if record.key == user] == own
