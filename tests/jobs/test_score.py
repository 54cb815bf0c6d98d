"""The score job at its seams: models that change, batches that are tried again, checkpoints that do not fit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from features.catalogue import FeatureSet
from jobs import pipeline
from jobs.checkpoint import Checkpoint
from jobs.errors import CheckpointError
from jobs.score import ScoreBatch, scoring
from jobs.settings import Settings
from jobs.simulate.dirt import Dirt
from jobs.simulate.render import Messages
from jobs.supervise import supervise
from models.errors import RegistryProblem
from tests.jobs import road

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


@pytest.fixture(scope="module")
def sent() -> list[Messages]:
    """A few hundred payments a part."""
    return [batch for batch in road.simulated(n_users=150, days=2, dirt=Dirt(), seed=9) if len(batch.value) > 100]


@pytest.fixture
def own(broker: Settings, tmp_path: Path) -> Settings:
    """Topics of the test's own, and a registry that is asked before each micro-batch."""
    return road.own_settings(broker, tmp_path, model={"poll_interval_s": 1})


def wait_for(n_scored: int, own: Settings, query: StreamingQuery) -> None:
    """Return once so many records are scored."""
    deadline = time.monotonic() + 120
    while len(versions(own)) < n_scored:
        assert query.exception() is None
        assert time.monotonic() < deadline, f"{len(versions(own))} of {n_scored} scored"
        time.sleep(0.5)


def versions(own: Settings) -> list[str]:
    """The model that scored each payment; a record that came again is the same one."""
    scored = {(row["raw_partition"], row["raw_offset"], json.dumps(row)): row for row in scored_records(own)}
    return [row["versions"]["model"].split("/")[1] for row in scored.values()]


def scored_records(own: Settings) -> Iterator[dict[str, Any]]:
    return road.read_topic(own, own.kafka.topics.scored)


def test_a_new_champion_takes_over_between_batches_and_an_unfit_one_is_refused(
    spark: SparkSession, own: Settings, sent: list[Messages], tmp_path: Path
) -> None:
    said: list[str] = []
    first = road.register(own, road.trained_bundle(own, sent), tmp_path / "first")
    n = len(sent[0].value)
    road.send(own, sent[:1])
    with scoring(spark, own, said.append) as query:
        wait_for(n, own, query)
        second = road.register(own, road.trained_bundle(own, sent, seed=8), tmp_path / "second")
        road.send(own, sent[:1])  # every one a duplicate: scored by nobody, yet a micro-batch
        time.sleep(2)
        road.send(own, sent[1:2])
        wait_for(n + len(sent[1].value), own, query)
        other = own.model_copy(update={"features": own.features.model_copy(update={"horizon_s": 90_000})})
        unfit = road.register(own, road.trained_bundle(other, sent), tmp_path / "unfit")
        time.sleep(2)
        road.send(own, sent[2:3])
        wait_for(sum(len(batch.value) for batch in sent[:3]), own, query)
    assert set(versions(own)) == {str(first), str(second)}
    assert f"model version {second} takes over from version {first}" in said
    assert any(line.startswith(f"REFUSED @champion version {unfit}") and "goes on" in line for line in said)


def test_a_batch_tried_again_says_no_alert_twice_and_keeps_its_model(
    spark: SparkSession, own: Settings, sent: list[Messages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = road.register(own, road.trained_bundle(own, sent), tmp_path / "first")
    road.send(own, sent[:2])
    with monkeypatch.context() as broken:
        broken.setattr(ScoreBatch, "_tell_refused", _fail)  # what comes after the alerts
        with pytest.raises(StreamingQueryException, match="pulled the plug"):
            road.score_all(spark, own)
    before = [alert["alert_id"] for alert in road.read_topic(own, own.kafka.topics.alerts)]
    road.register(own, road.trained_bundle(own, sent, seed=8), tmp_path / "second")
    road.score_all(spark, own)
    after = [alert["alert_id"] for alert in road.read_topic(own, own.kafka.topics.alerts)]
    assert before
    assert after == before
    assert set(versions(own)) == {str(first)}
    assert len(versions(own)) == sum(len(batch.value) for batch in sent[:2])


def _fail(*_: object) -> None:
    raise OSError("pulled the plug")


def test_without_a_model_the_job_does_not_start(spark: SparkSession, own: Settings) -> None:
    with pytest.raises(RegistryProblem) as caught, scoring(spark, own, lambda _: None):
        pass
    assert "tidewatch train" in caught.value.fix


def test_state_of_another_horizon_is_refused(
    spark: SparkSession, own: Settings, sent: list[Messages], tmp_path: Path
) -> None:
    road.register(own, road.trained_bundle(own, sent), tmp_path / "bundle")
    road.send(own, sent[:1])
    road.score_all(spark, own)
    longer = own.model_copy(update={"features": own.features.model_copy(update={"horizon_s": 172_800})})
    assert pipeline.feature_set(longer).hash != FeatureSet().hash
    said = "window_ms was 345600000 and is now 691200000"
    with pytest.raises(CheckpointError, match=said), scoring(spark, longer, lambda _: None):
        pass


def test_a_batch_begun_with_other_settings_is_not_ended_with_these(
    spark: SparkSession, own: Settings, sent: list[Messages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.register(own, road.trained_bundle(own, sent), tmp_path / "bundle")
    road.send(own, sent[:1])
    with monkeypatch.context() as broken:
        broken.setattr(ScoreBatch, "_write", _fail)
        with pytest.raises(StreamingQueryException, match="pulled the plug"):
            road.score_all(spark, own)
    stricter = own.model_copy(update={"contract": own.contract.model_copy(update={"max_message_bytes": 9_999})})
    with (
        scoring(spark, stricter, lambda _: None, available_now=True) as query,
        pytest.raises(CheckpointError) as caught,
    ):
        supervise([query], lambda _: None)
    assert "9999" in caught.value.message
    assert "former settings" in caught.value.fix


def test_an_unreadable_record_of_where_a_batch_began_says_what_to_do(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "offsets").mkdir()
    (tmp_path / "offsets" / "0").write_text("v1\n{}\n")
    with pytest.raises(CheckpointError, match="offsets/0") as caught:
        Checkpoint(spark, str(tmp_path)).start_offsets(1, "raw")
    assert "move the folder away" in caught.value.fix


def test_a_batch_begins_where_the_one_before_ended(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "offsets").mkdir()
    (tmp_path / "offsets" / "6").write_text('v1\n{"batchWatermarkMs":0}\n{"raw":{"0":5,"2":7}}')
    checkpoint = Checkpoint(spark, str(tmp_path))
    assert checkpoint.start_offsets(7, "raw") == (5, 0, 7)
    assert checkpoint.start_offsets(0, "raw") == ()
