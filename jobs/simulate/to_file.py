"""Messages into a file that `replay-file` and `backfill --input` read."""
from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pajson
import pyarrow.parquet as pq

from features.transaction import COORDINATES
from jobs.errors import ContractError
from jobs.history_files import LINES, PARQUET
from jobs.simulate.render import MESSAGE_FIELDS, Messages

NUMBERS = ("amount", *COORDINATES)
ROW = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in MESSAGE_FIELDS])


def check_name(path: Path) -> None:
    if path.suffix not in (PARQUET, *LINES):
        raise ContractError(f"{path} is not a known kind of history",
                            f"use a name that ends in {', '.join((PARQUET, *LINES))}")


def write_file(path: Path, messages: Iterable[Messages], advance: Callable[[Messages], None]) -> None:
    """Write all, or leave what was there: under another name first. `advance` is called after each batch."""
    check_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.partial")
    (_write_parquet if path.suffix == PARQUET else _write_lines)(draft, messages, advance)
    draft.replace(path)


def _write_lines(path: Path, messages: Iterable[Messages], advance: Callable[[Messages], None]) -> None:
    with path.open("wb") as stream:
        for batch in messages:
            stream.writelines(value + b"\n" for value in batch.value)
            advance(batch)


def _write_parquet(path: Path, messages: Iterable[Messages], advance: Callable[[Messages], None]) -> None:
    """Timestamps stay texts: a Parquet timestamp would forget the payer's clock."""
    parsing = pajson.ParseOptions(explicit_schema=ROW, unexpected_field_behavior="error")
    with pq.ParquetWriter(path, ROW) as writer:
        for batch in messages:
            if batch.value:
                writer.write_table(pajson.read_json(io.BytesIO(b"\n".join(batch.value)), parse_options=parsing))
            advance(batch)
