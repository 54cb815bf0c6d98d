"""A query's micro-batches, from a checkpoint written by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.bench.batches import Batch, Progress


def checkpoint(folder: Path, ends: list[int], n_committed: int) -> Progress:
    """Batch n ends at ``ends[n]``, began at second 100 + 10 n and was committed four seconds later."""
    for number, end in enumerate(ends):
        put(
            folder / "offsets" / str(number),
            f"v1\n{{}}\n{json.dumps({'raw': {'0': end - 1, '1': 1}})}",
            100 + 10 * number,
        )
        if number < n_committed:
            put(folder / "commits" / str(number), "v1\n{}", 104 + 10 * number)
    return Progress(folder, "raw")


def put(file: Path, text: str, at_s: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (at_s, at_s))


def test_a_batch_counts_when_it_is_committed(tmp_path: Path) -> None:
    progress = checkpoint(tmp_path, [5, 12, 20], n_committed=2)
    assert progress.batches() == [Batch(0, 5, 100, 104), Batch(1, 7, 110, 114)]
    assert progress.n_done() == 12


def test_a_batch_without_rows_is_left_out(tmp_path: Path) -> None:
    assert [batch.n_rows for batch in checkpoint(tmp_path, [5, 5, 9], n_committed=3).batches()] == [5, 4]


def test_nothing_is_done_before_there_is_a_checkpoint(tmp_path: Path) -> None:
    assert Progress(tmp_path / "none", "raw").n_done() == 0


def test_waiting_ends_with_the_time_or_with_the_job(tmp_path: Path) -> None:
    progress = checkpoint(tmp_path, [5], n_committed=1)
    progress.wait(5, 0, lambda: None)
    with pytest.raises(TimeoutError, match="5 of 6 records"):
        progress.wait(6, 0, lambda: None)

    def ended() -> None:
        raise RuntimeError("score ended with 1")

    with pytest.raises(RuntimeError, match="score ended"):
        progress.wait(6, 60, ended)
