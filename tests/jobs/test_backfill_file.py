"""A history in a file becomes a folder of features, and no folder of somebody else's is ever replaced."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from jobs import pipeline
from jobs.backfill_file import Rows, backfill_file
from jobs.errors import ContractError
from jobs.settings import Settings
from tests.features.builders import encode, txn


def history(folder: Path) -> Path:
    """Two payments of one user within the minute, one of them twice, and a line that is no payment."""
    first, second = txn(), txn(transaction_id="t2", amount=5.5, timestamp="2026-01-02T12:00:30Z")
    file = folder / "payments.jsonl"
    file.write_bytes(b"\n".join([*encode(first, second, second), b"{"]) + b"\n")
    return file


@pytest.mark.spark
def test_each_row_ends_as_payment_duplicate_or_dead_letter(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    source, output = history(tmp_path), tmp_path / "features"
    for _ in range(2):  # safe to repeat
        found = backfill_file(spark, settings, source, output, lambda _: None)
        assert found == Rows(read=4, payments=2, duplicates=1, dead=1)
    table = pd.read_parquet(output).set_index("transaction_id")
    assert set(pipeline.feature_set(settings).names) <= set(table.columns)
    assert table.loc["t2", ["count_1m", "sum_amount_1m", "gap_s"]].tolist() == [2.0, 15.5, 30.0]
    dead = pd.read_parquet(output / "_dead")
    assert [(row.offset, list(row.reasons), row.value) for row in dead.itertuples()] == [(3, ["not_json"], b"{")]


@pytest.mark.parametrize("name", ["Makefile", "precious.txt", "src", "history.parquet"])
def test_a_folder_with_anything_else_in_it_is_left_alone(name: str, settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / name).write_text("mine")
    with pytest.raises(ContractError, match=name):
        backfill_file(None, settings, history(tmp_path), output, lambda _: None)
    assert (output / name).read_text() == "mine"


def test_the_history_itself_is_never_replaced(settings: Settings, tmp_path: Path) -> None:
    source = history(tmp_path)
    for output in (tmp_path, source):
        with pytest.raises(ContractError):
            backfill_file(None, settings, source, output, lambda _: None)
    assert source.exists()
