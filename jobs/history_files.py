"""Payment histories in files, read as the raw topic would hold them.

A line of JSON keeps its bytes; a Parquet row becomes one JSON object. A folder is read in name order.
"""
from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.clock import read_instants
from features.transaction import REQUIRED
from jobs.errors import ContractError
from jobs.row_json import rows_as_json, utc_ms

PARQUET = ".parquet"
LINES = (".jsonl", ".ndjson", ".json")
ROWS = pa.schema({"value": pa.binary(), "offset": pa.int64(), "event_ms": pa.int64(), "key": pa.binary()})


class _Head(msgspec.Struct):
    user_id: Any = None
    timestamp: Any = None


class _Part(NamedTuple):
    """Some rows of one file: the bytes, the user (null where unreadable) and the event time (null likewise)."""

    value: pa.BinaryArray
    key: pa.BinaryArray
    event_ms: pa.Int64Array


_decode = msgspec.json.Decoder(_Head).decode


def read_history(path: Path, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
    """The rows of a history in file order, as `value` (JSON), `offset` (row number over all files) and `event_ms`.

    `event_ms` is the record time to judge lateness by: the row's own event time, or that of the row before it where
    it cannot be read. Raises ContractError before the first row if the path holds no history.
    """
    return (rows.select(["value", "offset", "event_ms"]) for rows in read_keyed_history(path, batch_rows))


def read_keyed_history(path: Path, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
    """As `read_history`, with the Kafka `key` of each row: its user, or null where that is not a text."""
    return _numbered(history_files(path), batch_rows)


def history_files(path: Path) -> list[Path]:
    """The files of a history in the order they are read, each one checked as a whole."""
    if not path.exists():
        raise ContractError(f"there is no file or folder {path}", "check the path")
    kinds = (PARQUET, *LINES)
    found = sorted(file for file in path.iterdir() if file.suffix in kinds) if path.is_dir() else [path]
    if not found:
        raise ContractError(f"the folder {path} holds no history", f"put files in it that end in {', '.join(kinds)}")
    for file in found:
        _check(file, kinds)
    return found


def _check(file: Path, kinds: tuple[str, ...]) -> None:
    if file.suffix not in kinds:
        raise ContractError(f"{file} is not a known kind of history", f"use a file that ends in {', '.join(kinds)}")
    if file.suffix == PARQUET:
        _check_columns(file)
    elif file.suffix == ".json" and _starts_with_array(file):
        raise ContractError(f"{file} is one JSON array, not a JSON object per line",
                            f"convert it: jq -c '.[]' {file} > {file.with_suffix('.jsonl').name}")


def _check_columns(file: Path) -> None:
    try:
        names = pq.read_schema(file).names
    except pa.ArrowInvalid as error:
        raise ContractError(f"{file} is not Parquet: {error}", "write the file again") from None
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ContractError(f"{file} has no column {', '.join(missing)}; it has {', '.join(names)}",
                            f"rename its columns; required are {', '.join(REQUIRED)}")


def _starts_with_array(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(1024).lstrip().startswith(b"[")


def _numbered(files: list[Path], batch_rows: int) -> Iterator[pa.RecordBatch]:
    offset, last_ms = 0, None
    for file in files:
        for part in (_parquet_parts if file.suffix == PARQUET else _line_parts)(file, batch_rows):
            n = len(part.value)
            event_ms = _filled(part.event_ms, last_ms)
            offsets = pa.array(range(offset, offset + n), pa.int64())
            yield pa.RecordBatch.from_arrays([part.value, offsets, event_ms, part.key], schema=ROWS)
            offset, last_ms = offset + n, event_ms[n - 1]


def _filled(event_ms: pa.Int64Array, last_ms: pa.Int64Scalar | None) -> pa.Int64Array:
    """Without gaps: the row before, else (at the start of a history) the row after, else the epoch."""
    known = pa.concat_arrays([pa.array([last_ms.as_py() if last_ms else None], pa.int64()), event_ms])
    forward = pc.fill_null_forward(known).slice(1)
    return pc.fill_null(pc.fill_null_backward(forward), 0)


def _line_parts(file: Path, batch_rows: int) -> Iterator[_Part]:
    with file.open("rb") as stream:
        rows = (line.rstrip(b"\r\n") for line in stream if not line.isspace())
        while lines := list(islice(rows, batch_rows)):
            heads = [_head(line) for line in lines]
            users = [head.user_id if type(head.user_id) is str else None for head in heads]
            keys = pa.array(users, pa.string()).cast(pa.binary())
            yield _Part(pa.array(lines, pa.binary()), keys, _read_times([head.timestamp for head in heads]))


def _head(line: bytes) -> _Head:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Head()


def _read_times(values: list[Any]) -> pa.Int64Array:
    instants, _ = read_instants(tuple(values))
    return pa.array(instants.epoch_ms, mask=~instants.ok)


def _parquet_parts(file: Path, batch_rows: int) -> Iterator[_Part]:
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_rows):
            users = batch.column("user_id").cast(pa.string()).cast(pa.binary())
            yield _Part(rows_as_json(batch), users, _column_times(batch.column("timestamp")))


def _column_times(column: pa.Array) -> pa.Int64Array:
    if not pa.types.is_timestamp(column.type):
        return _read_times(column.to_pylist())
    epoch_ms = utc_ms(column).cast(pa.int64())
    return pc.if_else(pc.greater_equal(epoch_ms, 0), epoch_ms, pa.scalar(None, pa.int64()))
