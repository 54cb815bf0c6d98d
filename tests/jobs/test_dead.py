"""Dead letters looked at and sent again: the right ones, with their own bytes, once."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from pyspark.sql import SparkSession

from jobs import dead, dead_replay
from jobs.cli_dead import letter_line, preview
from jobs.dead import Choice
from jobs.errors import ContractError
from jobs.settings import Settings
from jobs.tables import declared_tables, ensure_tables, table_path
from tests.jobs import road

BINARY = b"\xff\x00\x1b[31m"
JSON = '{"amount": -1, "city": "Zürich"}'.encode()


def at(minute: int, day: int = 1) -> datetime:
    return datetime(2026, 3, day, 12, minute, tzinfo=UTC)


class Letter(NamedTuple):
    """One refused message; `value` is None in the table dead when the bytes are in raw alone."""

    offset: int
    reasons: list[str]
    ingest_time: datetime
    value: bytes | None = JSON
    raw_value: bytes | None = JSON
    key: bytes | None = b"u1"
    partition: int = 1
    topic: str = ""


LETTERS = (
    Letter(10, ["no_rate"], at(0), key=None),
    Letter(11, ["missing_field:amount", "bad_timestamp"], at(1), BINARY, BINARY),
    Letter(12, ["duplicate"], at(2), value=None),
    Letter(13, ["no_rate"], at(3), raw_value=None),
    Letter(14, ["no_rate"], at(4), topic="another"),
    Letter(9, ["no_rate"], at(0, day=2), partition=0),
)


@pytest.fixture(scope="module")
def refused(spark: SparkSession, broker: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = road.own_settings(broker, tmp_path_factory.mktemp("dead"))
    _write(spark, made, "dead", [(*_place(made, one), one.reasons, one.value) for one in LETTERS])
    _write(spark, made, "raw", [
        (*_place(made, one), one.key, one.raw_value) for one in LETTERS if one.raw_value is not None])
    return made


def _place(made: Settings, letter: Letter) -> tuple[Any, ...]:
    return letter.topic or made.kafka.topics.raw, letter.partition, letter.offset, letter.ingest_time


def _write(spark: SparkSession, made: Settings, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    (table,) = ensure_tables(spark, made.archive.table_dir, [declared_tables(())[name]])
    dated = [(*row, row[3].date()) for row in rows]
    path = table_path(made.archive.table_dir, name)
    spark.createDataFrame(dated, table.schema).coalesce(1).write.format("delta").mode("append").save(path)


def sent_to(made: Settings) -> list[ConsumerRecord]:
    with_all = KafkaConsumer(**made.kafka.client_options(), enable_auto_commit=False)
    partitions = [TopicPartition(made.kafka.topics.raw, number) for number in range(4)]
    with_all.assign(partitions)
    with_all.seek_to_beginning()
    ends, found = with_all.end_offsets(partitions), []
    while any(with_all.position(partition) < ends[partition] for partition in partitions):
        found += [record for records in with_all.poll(timeout_ms=500).values() for record in records]
    with_all.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def offsets_of(spark: SparkSession, made: Settings, choice: Choice) -> list[int]:
    return sorted(row["offset"] for row in dead.read_letters(spark, made, choice).collect())


pytestmark = [pytest.mark.spark, pytest.mark.kafka]


@pytest.mark.parametrize(("choice", "offsets"), [
    (Choice(), [9, 10, 11, 12, 13, 14]),
    (Choice(reasons=("missing_field",)), [11]),
    (Choice(reasons=("missing_field:amount",)), [11]),
    (Choice(reasons=("missing_field:city",)), []),
    (Choice(reasons=("bad_timestamp", "duplicate")), [11, 12]),
    (Choice(since=at(2)), [9, 12, 13, 14]),
    (Choice(until=at(2)), [10, 11]),
    (Choice(reasons=("no_rate",), since=at(1), until=at(4)), [13]),
])
def test_letters_are_chosen_by_reason_and_time(
    spark: SparkSession, refused: Settings, choice: Choice, offsets: list[int]
) -> None:
    assert offsets_of(spark, refused, choice) == offsets


def test_reasons_are_counted_one_by_one(spark: SparkSession, refused: Settings) -> None:
    counts = dead.count_reasons(dead.read_letters(spark, refused, Choice()))
    assert list(counts.items()) == [("no_rate", 4), ("bad_timestamp", 1), ("duplicate", 1), ("missing_field:amount", 1)]


def test_the_newest_letters_come_first_and_a_duplicate_shows_the_bytes_of_raw(
    spark: SparkSession, refused: Settings
) -> None:
    letters = dead.read_letters(spark, refused, Choice(until=at(3)))
    first, second = dead.newest(spark, refused, letters, limit=2)
    topic = refused.kafka.topics.raw
    assert letter_line(first) == f"2026-03-01T12:02:00.000Z  {topic}:1:12  duplicate  {JSON.decode()}"
    assert letter_line(second).endswith(r"missing_field:amount, bad_timestamp  \xff\x00\x1b[31m")


def test_a_preview_is_one_printable_line_and_not_long() -> None:
    assert preview(b"a\nb\x1b[2J\xc3\xa9\xff") == r"a\nb\x1b[2J" + "é" + r"\xff"
    assert preview(b"x" * 500) == "x" * 100 + "..."
    assert preview(None) == "(not in the table raw yet)"


def test_a_replay_sends_each_letter_once_with_its_own_bytes(spark: SparkSession, refused: Settings) -> None:
    topic, said = refused.kafka.topics.raw, []
    letters = dead.replayable(spark, refused, Choice(), force=False)
    assert dead.count_fates(letters) == {"send": 3, "duplicate": 1, "not_archived": 1, "other_topic": 1}
    assert sent_to(refused) == []

    assert dead_replay.replay(refused, letters, "original", said.append) == 3
    sent = sent_to(refused)
    assert [(one.partition, one.key, one.value) for one in sent] == [
        (0, b"u1", JSON), (1, None, JSON), (1, b"u1", BINARY)]
    assert [one.timestamp for one in sent] == [int(moment.timestamp() * 1000) for moment in (at(0, 2), at(0), at(1))]
    assert [dict(one.headers)["tidewatch-replay-of"] for one in sent] == [
        f"{topic}:0:9".encode(), f"{topic}:1:10".encode(), f"{topic}:1:11".encode()]
    assert "retention lifted" in said[0]

    again = dead.replayable(spark, refused, Choice(), force=False)
    assert dead.count_fates(again) == {"replayed": 3, "duplicate": 1, "not_archived": 1, "other_topic": 1}
    assert dead_replay.replay(refused, again, "original", said.append) == 0

    before = datetime.now(UTC)
    forced = dead.replayable(spark, refused, Choice(reasons=("bad_timestamp",)), force=True)
    assert dead_replay.replay(refused, forced, "now", said.append) == 1
    assert sent_to(refused)[-1].value == BINARY
    assert sent_to(refused)[-1].timestamp >= int(before.timestamp() * 1000)


def test_without_an_archive_there_is_nothing_to_look_at(
    spark: SparkSession, refused: Settings, tmp_path: Path
) -> None:
    empty = refused.model_copy(update={"archive": refused.archive.model_copy(update={"table_dir": str(tmp_path)})})
    with pytest.raises(ContractError, match="there is no table .*dead"):
        dead.read_letters(spark, empty, Choice())
