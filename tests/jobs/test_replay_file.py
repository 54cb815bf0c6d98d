from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import ContractError
from jobs.raw_topic import MAX_VALUE_BYTES, raw_topic_state
from jobs.replay_file import Survey, replay_file, survey
from jobs.services.topics import FOREVER_MS, ensure_topics
from jobs.settings import Settings
from tests.jobs.raw_records import raw_records

IN_2018_MS = 1_522_540_800_000
MINUTE_MS = 60_000


def line(number: int, at_ms: int, user: str = "u1") -> bytes:
    return json.dumps({"transaction_id": f"t{number}", "user_id": user, "amount": "1.10", "timestamp": at_ms}).encode()


def lines_file(folder: Path, *lines: bytes) -> Path:
    file = folder / "history.jsonl"
    file.write_bytes(b"".join(content + b"\n" for content in lines))
    return file


def replay(settings: Settings, path: Path) -> list[str]:
    """Replay and return what was said."""
    ensure_topics(settings)
    said: list[str] = []
    replay_file(settings, path, survey(path), said.append, advance=lambda _: None)
    return said


def test_a_survey_tells_rows_and_times(tmp_path: Path) -> None:
    file = lines_file(tmp_path, line(0, IN_2018_MS + 5), b"{", line(1, IN_2018_MS))
    assert survey(file) == Survey(3, IN_2018_MS, IN_2018_MS + 5)


def test_a_survey_of_nothing_has_no_times(tmp_path: Path) -> None:
    assert survey(lines_file(tmp_path)) == Survey(0, None, None)


@pytest.mark.kafka
def test_lines_arrive_byte_for_byte_dated_by_their_events(tmp_path: Path, on_shared_broker: Settings) -> None:
    lines = [line(number, IN_2018_MS + number * MINUTE_MS) for number in range(3)]
    replay(on_shared_broker, lines_file(tmp_path, *lines))
    found = raw_records(on_shared_broker)
    assert [(record.key, record.value) for record in found] == [(b"u1", content) for content in lines]
    assert [record.timestamp for record in found] == [IN_2018_MS + number * MINUTE_MS for number in range(3)]


@pytest.mark.kafka
def test_parquet_rows_arrive_as_json_in_file_order(tmp_path: Path, on_shared_broker: Settings) -> None:
    n = 5000
    times = [IN_2018_MS + number for number in range(n)]
    pq.write_table(pa.table({
        "transaction_id": [f"t{number}" for number in range(n)], "user_id": [f"u{number % 37}" for number in range(n)],
        "amount": [number / 100 for number in range(n)], "timestamp": pa.array(times, pa.timestamp("ms", "UTC")),
    }), tmp_path / "history.parquet")
    replay(on_shared_broker, tmp_path / "history.parquet")
    found = raw_records(on_shared_broker)
    rows = [json.loads(record.value) for record in found]
    assert sorted(int(row["transaction_id"][1:]) for row in rows) == list(range(n))
    for partition in range(4):
        numbers = [int(row["transaction_id"][1:])
                   for row, record in zip(rows, found, strict=True) if record.partition == partition]
        assert numbers == sorted(numbers)
    assert rows[0].keys() == {"transaction_id", "user_id", "amount", "timestamp"}


@pytest.mark.kafka
def test_an_unreadable_row_is_sent_too_dated_as_the_row_before(tmp_path: Path, on_shared_broker: Settings) -> None:
    good, no_json, no_time = line(0, IN_2018_MS), b"not json", b'{"user_id": "u1"}'
    replay(on_shared_broker, lines_file(tmp_path, good, no_json, no_time))
    found = raw_records(on_shared_broker)
    assert {record.timestamp for record in found} == {IN_2018_MS}
    assert {record.value: record.key for record in found} == {good: b"u1", no_json: None, no_time: b"u1"}


@pytest.mark.kafka
def test_an_event_ahead_of_the_clock_is_dated_now(tmp_path: Path, on_shared_broker: Settings) -> None:
    before_ms = int(time.time() * 1000)
    replay(on_shared_broker, lines_file(tmp_path, line(0, before_ms + 400 * 24 * 60 * MINUTE_MS)))
    (record,) = raw_records(on_shared_broker)
    assert before_ms <= record.timestamp <= int(time.time() * 1000)


@pytest.mark.kafka
def test_an_old_history_lifts_the_retention_first_and_says_so(tmp_path: Path, on_shared_broker: Settings) -> None:
    said = replay(on_shared_broker, lines_file(tmp_path, line(0, IN_2018_MS)))
    assert raw_topic_state(on_shared_broker).retention_ms == FOREVER_MS
    assert len(said) == 1
    assert "--shorten-retention" in said[0]


@pytest.mark.kafka
def test_rows_no_kafka_would_take_are_named_and_all_others_sent(tmp_path: Path, on_shared_broker: Settings) -> None:
    huge = line(1, IN_2018_MS).replace(b"1.10", b"1" * MAX_VALUE_BYTES)
    with pytest.raises(ContractError, match=r"1 rows of .* not sent: 1 \("):
        replay(on_shared_broker, lines_file(tmp_path, line(0, IN_2018_MS), huge, line(2, IN_2018_MS)))
    assert [record.value for record in raw_records(on_shared_broker)] == [line(0, IN_2018_MS), line(2, IN_2018_MS)]


@pytest.mark.kafka
def test_a_row_that_the_contract_calls_too_large_still_arrives(tmp_path: Path, on_shared_broker: Settings) -> None:
    large = line(0, IN_2018_MS).replace(b"1.10", b"1" * 900_000)
    replay(on_shared_broker, lines_file(tmp_path, large))
    assert [record.value for record in raw_records(on_shared_broker)] == [large]
