"""Running queries: stopped when asked, and a failure told in words."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from threading import Event

import pytest
from pyspark.sql import SparkSession

from jobs.errors import CheckpointError, ContractError, ServiceError, TidewatchError
from jobs.stream_failure import explained, own_error_text
from jobs.supervise import BATCH_PATIENCE_S, progress_line, stop_signal, supervise
from models.errors import BundleRefused

LOST = """Some data may have been lost because they are not available in Kafka any more;
either the data was aged out by Kafka or the topic may have been deleted before all the data in the
topic was processed.
Reason: Partition raw-0 offset was changed from 340 to 2.
This could be either 1) a user error that the start offset is set beyond available offset
=== Streaming Query ===
Current State: ACTIVE"""
UNREADABLE = "next on empty iterator\n=== Streaming Query ===\nCurrent State: INITIALIZING\nThread State: RUNNABLE"
AWAY = "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: listNodes"


@pytest.mark.parametrize(("text", "kind", "said"), [
    (LOST, CheckpointError, "Partition raw-0 offset was changed from 340 to 2."),
    (UNREADABLE, CheckpointError, "next on empty iterator"),
    (f"{AWAY}\n=== Streaming Query ===\nCurrent State: INITIALIZING", ServiceError, "no answer from Kafka"),
    ("org.apache.kafka.common.errors.UnknownTopicOrPartitionException: raw", ServiceError, "does not exist"),
])
def test_a_failure_of_spark_says_what_to_do(text: str, kind: type[TidewatchError], said: str) -> None:
    error = explained("archive/raw", RuntimeError(text))
    assert type(error) is kind
    assert "archive/raw" in error.message
    assert said in error.message
    assert error.fix


def test_an_error_of_ours_comes_through_spark_whole() -> None:
    text = own_error_text(ContractError("raw:0:7 is bad", "mend it"))
    error = explained("archive/raw", RuntimeError(f"[USER_RAISED_EXCEPTION] {text} SQLSTATE: P0001\n at x"))
    assert (type(error), error.message, error.fix) == (ContractError, "raw:0:7 is bad", "mend it")


def test_an_error_of_a_model_comes_through_as_well() -> None:
    text = "Traceback\nmodels.errors.BundleRefused: version 3 is gone\n  fix: train again"
    error = explained("score", RuntimeError(text))
    assert (type(error), error.message, error.fix) == (BundleRefused, "version 3 is gone", "train again")


def test_an_unknown_failure_is_left_as_it_is() -> None:
    failure = RuntimeError("out of luck")
    assert explained("archive/raw", failure) is failure


@pytest.mark.parametrize(("latest", "lag"), [('{"raw": {"0": 12, "1": 9}}', "4 behind"), ("null", "done again")])
def test_progress_counts_offsets_not_read_yet(latest: str, lag: str) -> None:
    progress = {"name": "archive/raw", "batchId": 3, "numInputRows": 1200, "durationMs": {"triggerExecution": 850},
                "sources": [{"latestOffset": latest, "endOffset": '{"raw": {"0": 10, "1": 7}}'}]}
    assert progress_line(progress) == f"archive/raw: batch 3, 1,200 rows in 850 ms, {lag}"


def test_progress_of_a_query_with_state_says_how_much_it_holds_and_the_watermark() -> None:
    progress = {"name": "score", "batchId": 3, "numInputRows": 5, "durationMs": {"triggerExecution": 850},
                "sources": [],
                "stateOperators": [{"numRowsUpdated": 1200, "memoryUsedBytes": 3 * 2**20}],
                "eventTime": {"watermark": "2026-01-01T00:00:00.000Z"}}
    assert progress_line(progress).endswith(
        "0 behind; state 3 MB in memory, 1,200 histories changed, watermark 2026-01-01T00:00:00.000Z")


def test_sigterm_asks_for_an_end_once_and_is_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signal() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(1)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.spark
def test_the_micro_batch_that_runs_is_committed_before_the_end(spark: SparkSession, tmp_path: Path) -> None:
    stop, began = Event(), time.monotonic()

    def slow(batch: object, batch_id: int) -> None:
        if batch_id == 1:
            stop.set()
        time.sleep(1)

    source = spark.readStream.format("rate").option("rowsPerSecond", 10).load()
    query = source.writeStream.option("checkpointLocation", str(tmp_path)).foreachBatch(slow).start()
    supervise([query], lambda _: None, stop)
    assert not query.isActive
    assert query.exception() is None
    assert (tmp_path / "commits" / "1").exists()
    assert time.monotonic() - began < BATCH_PATIENCE_S
