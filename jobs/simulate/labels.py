"""The truth about what was simulated: one row per message, written beside it and counted."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from jobs.errors import ContractError
from jobs.simulate.render import LABELS, Messages

CSV, PARQUET = ".csv", ".parquet"


class Labels:
    """Notes the labels of passing messages; writes them if there is a path, and counts them in any case."""

    def __init__(self, path: Path | None = None) -> None:
        if path and path.suffix not in (CSV, PARQUET):
            raise ContractError(f"labels cannot be written to {path}", f"use a name that ends in {CSV} or {PARQUET}")
        self.n = 0
        self.frauds: Counter[str] = Counter()
        self.dirt: Counter[str] = Counter()
        self._writer = _writer(path) if path else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if self._writer:
            self._writer.close()

    def noting(self, messages: Iterable[Messages]) -> Iterator[Messages]:
        """Pass the messages through."""
        for batch in messages:
            self._note(batch.labels)
            yield batch

    def _note(self, labels: pa.RecordBatch) -> None:
        self.n += labels.num_rows
        for counter, name in ((self.frauds, "scheme"), (self.dirt, "dirt")):
            counter.update(value for value in labels.column(name).to_pylist() if value)
        if self._writer:
            self._writer.write_batch(labels)


def _writer(path: Path) -> pacsv.CSVWriter | pq.ParquetWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    return pq.ParquetWriter(path, LABELS) if path.suffix == PARQUET else pacsv.CSVWriter(path, LABELS)
