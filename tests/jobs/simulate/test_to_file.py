from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from jobs.errors import ContractError
from jobs.history_files import read_history
from jobs.simulate.labels import Labels
from jobs.simulate.payment import DAY_MS
from jobs.simulate.render import Messages
from jobs.simulate.stream import history_messages
from jobs.simulate.to_file import write_file
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, decoded, labels


def a_day_with_attacks() -> list[Messages]:
    return list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + DAY_MS, n_attacks=3))


def written(path: Path, messages: list[Messages]) -> Path:
    write_file(path, messages, advance=lambda _: None)
    return path


def test_a_line_file_holds_the_messages_byte_for_byte(tmp_path: Path) -> None:
    messages = a_day_with_attacks()
    file = written(tmp_path / "history.jsonl", messages)
    assert file.read_bytes() == b"".join(value + b"\n" for batch in messages for value in batch.value)


def test_a_parquet_file_reads_back_as_the_same_payments(tmp_path: Path) -> None:
    messages = a_day_with_attacks()
    file = written(tmp_path / "history.parquet", messages)
    read = [json.loads(value) for rows in read_history(file) for value in rows["value"].to_pylist()]
    assert read == decoded(messages)


def test_the_event_times_of_a_file_are_those_of_the_simulation(tmp_path: Path) -> None:
    messages = a_day_with_attacks()
    file = written(tmp_path / "history.parquet", messages)
    expected = [at_ms for batch in messages for at_ms in batch.record_ms.tolist()]
    assert [at_ms for rows in read_history(file) for at_ms in rows["event_ms"].to_pylist()] == expected


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"history\.xml is not a known kind"):
        written(tmp_path / "history.xml", [])


@pytest.mark.parametrize("name", ["history.jsonl", "history.parquet"])
def test_a_simulation_that_breaks_off_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("old")

    def stop(_: Messages) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(file, a_day_with_attacks(), stop)
    assert file.read_text() == "old"


@pytest.mark.parametrize("name", ["labels.parquet", "labels.csv"])
def test_labels_are_written_one_row_per_message(tmp_path: Path, name: str) -> None:
    messages = a_day_with_attacks()
    with Labels(tmp_path / name) as noted:
        assert list(noted.noting(messages)) == messages
    read = pq.read_table(tmp_path / name) if name.endswith("parquet") else pacsv.read_csv(tmp_path / name)
    assert read.num_rows == noted.n == len(labels(messages))
    assert read["transaction_id"].to_pylist() == [row["transaction_id"] for row in labels(messages)]
    assert read["is_fraud"].to_pylist() == [row["is_fraud"] for row in labels(messages)]


def test_frauds_are_counted_without_a_file_too() -> None:
    messages = a_day_with_attacks()
    noted = Labels()
    list(noted.noting(messages))
    assert noted.frauds == Counter(row["scheme"] for row in labels(messages) if row["is_fraud"])


def test_labels_of_an_unknown_kind_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"labels\.txt"):
        Labels(tmp_path / "labels.txt")
