"""The archive job on a real broker: each message once in its table, through a crash, repeats and a new feature set."""
from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka import KafkaProducer
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import pipeline
from jobs.archive import start_archive
from jobs.continuity import check_continues
from jobs.errors import CheckpointError, ContractError
from jobs.settings import Settings
from jobs.supervise import supervise
from jobs.table_names import ARCHIVED
from jobs.table_rows import record_rows
from jobs.tables import declared_tables, table_path
from tests.jobs import records, road

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

NOT_TEXT = b"\xff\x00 no text"


class Archive(NamedTuple):
    """Settings before and after a window was added to the features, and what the job said in both runs."""

    before: Settings
    after: Settings
    said: list[str]

    def path(self, name: str) -> str:
        return table_path(self.after.archive.table_dir, name)

    def checkpoint(self, name: str) -> Path:
        return Path(self.after.stream.checkpoint_dir) / "archive" / name

    def rows(self, spark: SparkSession, name: str) -> DataFrame:
        return spark.read.format("delta").load(self.path(name))


@pytest.fixture(scope="module")
def archive(spark: SparkSession, broker: Settings, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Archived, then killed after Delta's commit and before Spark's, then archived on with one more window."""
    folder = tmp_path_factory.mktemp("archive")
    before = road.own_settings(broker, folder, features={"windows_s": (60, 86_400)})
    made = Archive(before, road.own_settings(broker, folder), [])
    _send_first(before)
    _run(spark, before, made.said)
    for name in ARCHIVED:
        _forget_last_commit(made.checkpoint(name))
    _send_second(made)
    _run(spark, made.after, made.said)
    return made


def _send_first(settings: Settings) -> None:
    chosen = pipeline.feature_set(settings)
    again = records.scored(1, chosen)
    _send(settings, settings.kafka.topics.raw, [b"first", NOT_TEXT])
    _send(settings, settings.kafka.topics.scored, map(records.encoded, (
        records.scored(0, chosen), again, again, records.scored(2, chosen, transaction_id="t0", user_id="u2"))))
    _send(settings, settings.kafka.topics.dead, map(records.encoded, (
        records.dead(7, "no_rate", "too_late", value=NOT_TEXT), records.dead(7, "no_rate", "too_late", value=NOT_TEXT),
        records.dead(8, "duplicate", value=None))))
    _send_alerts(settings, records.alert(0, chosen), commit=True)
    _send_alerts(settings, records.alert(1, chosen), commit=False)


def _send_second(made: Archive) -> None:
    old, new = pipeline.feature_set(made.before), pipeline.feature_set(made.after)
    topics = made.after.kafka.topics
    _send(made.after, topics.raw, [b"second"])
    _send(made.after, topics.scored, map(records.encoded, (
        records.scored(1, old), records.scored(3, new, batch_id=1, event_time="2026-03-02T00:00:00.001Z"))))
    _send(made.after, topics.dead, [records.encoded(records.dead(8, "duplicate", value=None))])
    _send_alerts(made.after, records.alert(3, new), commit=True)


def _send(settings: Settings, topic: str, values: Iterator[bytes] | Sequence[bytes]) -> None:
    producer = KafkaProducer(**settings.kafka.client_options())
    for value in values:
        producer.send(topic, key=b"u1", value=value, partition=0)
    producer.flush()
    producer.close()


def _send_alerts(settings: Settings, record: dict[str, object], *, commit: bool) -> None:
    producer = KafkaProducer(**settings.kafka.client_options(), transactional_id=f"{settings.var_dir.name}-alerts")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(settings.kafka.topics.alerts, value=records.encoded(record))
    producer.flush()
    (producer.commit_transaction if commit else producer.abort_transaction)()
    producer.close()


def _run(spark: SparkSession, settings: Settings, said: list[str], tables: Sequence[str] = ARCHIVED) -> None:
    supervise(start_archive(spark, settings, tables, available_now=True), said.append)


def _forget_last_commit(checkpoint: Path) -> None:
    last = max((file for file in (checkpoint / "commits").glob("[0-9]*")), key=lambda file: int(file.name))
    last.unlink()
    last.with_name(f".{last.name}.crc").unlink(missing_ok=True)


def test_raw_holds_each_message_once_with_the_bytes_it_came_with(spark: SparkSession, archive: Archive) -> None:
    rows = archive.rows(spark, "raw").orderBy("offset").collect()
    topic = archive.after.kafka.topics.raw
    assert [(row.topic, row.partition, row.offset, bytes(row.key), bytes(row.value)) for row in rows] == [
        (topic, 0, 0, b"u1", b"first"), (topic, 0, 1, b"u1", NOT_TEXT), (topic, 0, 2, b"u1", b"second")]
    assert archive.rows(spark, "raw").where("date != to_date(ingest_time)").isEmpty()


def test_scored_rows_come_once_though_the_topic_repeats_them(spark: SparkSession, archive: Archive) -> None:
    rows = archive.rows(spark, "scored").orderBy("raw_offset").collect()
    assert [(row.raw_offset, row.transaction_id, row.user_id) for row in rows] == [
        (0, "t0", "u1"), (1, "t1", "u1"), (2, "t0", "u2"), (3, "t3", "u1")]


def test_scored_rows_keep_every_field_and_lie_by_event_date(spark: SparkSession, archive: Archive) -> None:
    chosen = pipeline.feature_set(archive.after)
    sent = records.scored(3, chosen, batch_id=1, event_time="2026-03-02T00:00:00.001Z")
    stored = archive.rows(spark, "scored").where("raw_offset = 3")
    stored_json = stored.select(F.to_json(F.struct("*"), {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}))
    assert json.loads(stored_json.collect()[0][0]) == sent | {"date": "2026-03-02"}


def test_a_new_feature_is_missing_in_older_rows(spark: SparkSession, archive: Archive) -> None:
    old, new = pipeline.feature_set(archive.before), pipeline.feature_set(archive.after)
    assert "count_5m" in set(new.names) - set(old.names)
    rows = {row.raw_offset: row.features for row in archive.rows(spark, "scored").collect()}
    assert rows[0]["count_5m"] is None
    assert rows[3]["count_5m"] == new.names.index("count_5m") + 0.003
    assert rows[0]["count_1m"] == old.names.index("count_1m")


def test_alerts_are_those_of_committed_transactions(spark: SparkSession, archive: Archive) -> None:
    rows = archive.rows(spark, "alerts").orderBy("alert_id").collect()
    assert [row.alert_id for row in rows] == ["a0", "a3"]
    assert rows[0].reasons[0].text == "9 in 1 min"
    assert rows[0].contributions == {"count_1m": 0.4}


def test_dead_letters_come_once_with_all_reasons_and_their_bytes(spark: SparkSession, archive: Archive) -> None:
    rows = archive.rows(spark, "dead").orderBy("offset").collect()
    assert [(row.offset, row.reasons, row.value and bytes(row.value)) for row in rows] == [
        (7, ["no_rate", "too_late"], NOT_TEXT), (8, ["duplicate"], None)]


def test_every_query_tells_its_rows_and_how_far_behind_it_is(archive: Archive) -> None:
    assert {line.split(":")[0] for line in archive.said} == {f"archive/{name}" for name in ARCHIVED}
    assert all("rows in" in line and line.endswith(("0 behind", "done again")) for line in archive.said)


def test_a_message_that_is_no_record_stops_the_job_and_is_named(
    spark: SparkSession, broker: Settings, tmp_path: Path
) -> None:
    settings = road.own_settings(broker, tmp_path)
    good = records.encoded(records.scored(0, pipeline.feature_set(settings)))
    _send(settings, settings.kafka.topics.scored, [good, b"no json"])
    with pytest.raises(ContractError, match=f"{settings.kafka.topics.scored}:0:1 is no JSON of the declared types"):
        _run(spark, settings, [], ["scored"])
    assert spark.read.format("delta").load(table_path(settings.archive.table_dir, "scored")).isEmpty()


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"risk_score": "high"}, "is no JSON of the declared types"),
    ({"risk_score": None, "query_id": None}, "lacks risk_score, query_id"),
    ({"features": {"brand_new": 1.0}, "versions": {"features": "other"}}, "has features unknown here: brand_new"),
])
def test_no_field_is_dropped_in_silence(
    spark: SparkSession, changes: dict[str, object], complaint: str, archive: Archive
) -> None:
    chosen = pipeline.feature_set(archive.after)
    value = records.encoded(records.scored(0, chosen, **changes))
    columns = "topic string, partition int, offset bigint, value binary"
    messages = spark.createDataFrame([("scored", 1, 5, bytearray(value))], columns)
    with pytest.raises(PySparkException, match=f"scored:1:5 {complaint}"):
        record_rows(messages, declared_tables(chosen.names)["scored"], chosen.hash).collect()


@pytest.mark.parametrize("name", ["raw", "scored"])
def test_a_lost_table_is_not_filled_from_the_middle(
    spark: SparkSession, archive: Archive, tmp_path: Path, name: str
) -> None:
    with pytest.raises(CheckpointError, match="that table is gone"):
        check_continues(spark, str(tmp_path / name), str(archive.checkpoint(name)), has_key=name == "scored")


def test_a_lost_checkpoint_is_refused_only_where_rows_would_come_twice(
    spark: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint that says which messages they are is gone"):
        check_continues(spark, archive.path("raw"), str(tmp_path / "raw"), has_key=False)
    check_continues(spark, archive.path("scored"), str(tmp_path / "scored"), has_key=True)


def test_an_old_copy_of_a_checkpoint_is_refused(spark: SparkSession, archive: Archive, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive.checkpoint("raw"), copy)
    check_continues(spark, archive.path("raw"), str(copy), has_key=False)
    (copy / "offsets" / "1").unlink()
    with pytest.raises(CheckpointError, match="micro-batches up to 0, and .* up to 1: the checkpoint is an old copy"):
        check_continues(spark, archive.path("raw"), str(copy), has_key=False)


def test_a_checkpoint_without_its_query_is_refused(spark: SparkSession, archive: Archive, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive.checkpoint("raw"), copy)
    (copy / "metadata").unlink()
    with pytest.raises(CheckpointError, match="metadata does not name a query: None"):
        check_continues(spark, archive.path("raw"), str(copy), has_key=False)
