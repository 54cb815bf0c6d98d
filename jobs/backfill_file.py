"""Backfill of a history that never saw Kafka: a Parquet or JSON-lines file -> a folder of Parquet, a row a payment.

Rows are taken in file order as they would have arrived, and each is judged at its own event time, so nothing is late.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from features.parse import Contract, parse
from features.transaction import Reason
from jobs.errors import ContractError
from jobs.history_files import read_history
from jobs.rebuild import Recipe, with_model
from jobs.settings import Settings

DEAD_FOLDER: Final = "_dead"  # readers of a Parquet folder pass over names with an underscore
_DEAD_DDL: Final = "offset bigint, reasons array<string>, value binary"
_SCORES: Final = ("risk_score", "risk_level", "recommendation")
_ROWS_PER_GROUP: Final = 262_144
_RAW: Final = pa.schema(
    {
        "topic": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.timestamp("us", "UTC"),
        "value": pa.binary(),
    }
)

Say = Callable[[str], None]


class Rows(NamedTuple):
    """How the rows of the file ended: ``read`` is the sum of the others."""

    read: int
    payments: int
    duplicates: int
    dead: int
    too_active: int = 0


def backfill_file(
    spark: SparkSession, settings: Settings, source: Path, output: Path, say: Say, *, model: int | None = None
) -> Rows:
    """Write ``transaction_id`` and every feature of each payment in ``source``; replaces ``output`` at the end.

    Refused rows are in ``output/_dead`` with their row number and reasons. Raises ContractError for an unreadable
    source, or an output that holds something else.
    """
    _check_output(source, output)
    recipe = Recipe.of(settings)
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backfill-", dir=settings.var_dir) as scratch:
        staged, result = Path(scratch) / "raw.parquet", Path(scratch) / "result"
        n_read = _stage(source, staged)
        say(f"{n_read:,} rows read from {source}; computing their features")
        raw = spark.read.parquet(str(staged))
        payments = recipe.features_of(raw).persist()
        if model is None:
            rows = recipe.flat(payments)
        else:
            rows = recipe.flat(with_model(payments, settings, model, recipe.features), *_SCORES)
        rows.write.parquet(str(result))
        raw.transform(with_refusals, recipe.contract).write.parquet(str(result / DEAD_FOLDER))
        refused = dict(payments.where("refused IS NOT NULL").groupBy("refused").count().collect())
        n_duplicates, n_too_active = (refused.get(why, 0) for why in (Reason.DUPLICATE, Reason.USER_TOO_ACTIVE))
        found = Rows(n_read, _n_rows(result), n_duplicates, _n_rows(result / DEAD_FOLDER), n_too_active)
        payments.unpersist()
        if found.read != sum(found[1:]):
            raise ContractError(f"the rows of {source} do not add up: {found}", "report this; nothing was written")
        _publish(result, output)
    return found


def _check_output(source: Path, output: Path) -> None:
    """Only a new or empty folder, or one that an earlier backfill made, is ever replaced."""
    if (
        output.resolve() in (source.resolve(), *source.resolve().parents)
        or source.resolve() in output.resolve().parents
    ):
        raise ContractError(f"{output} holds the history itself, or lies in it", "give --output a folder of its own")
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise ContractError(f"{output} is not a folder", "give --output a new folder")
    foreign = [path.name for path in output.iterdir() if not _is_ours(path)] if output.is_dir() else []
    if foreign:
        raise ContractError(f"{output} holds something else: {', '.join(sorted(foreign)[:5])}", "give a new folder")


def _is_ours(path: Path) -> bool:
    return path.name in (DEAD_FOLDER, "_SUCCESS", "._SUCCESS.crc") or path.name.removeprefix(".").startswith("part-")


def _n_rows(folder: Path) -> int:
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def _publish(result: Path, output: Path) -> None:
    """Put the finished folder in place of an earlier one."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.exists():
        shutil.rmtree(output)
    shutil.move(result, output)


def with_refusals(raw: DataFrame, contract: Contract) -> DataFrame:
    """The dead letters among raw records: ``offset, reasons, value``."""
    columns = raw.select("topic", "partition", "offset", "timestamp", "value")
    return columns.mapInArrow(partial(_refused, contract=contract), _DEAD_DDL)


def _refused(batches: Iterator[pa.RecordBatch], contract: Contract) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield parse(batch, contract).dead.select(["offset", "reasons", "value"])


def _stage(source: Path, target: Path) -> int:
    """The file as the raw topic would hold it, with row numbers for offsets; returns the number of rows."""
    n_rows = 0
    with pq.ParquetWriter(target, _RAW, compression="zstd") as writer:
        for batch in read_history(source, _ROWS_PER_GROUP):
            n_rows += batch.num_rows
            constant = {
                "topic": pa.array([source.name] * batch.num_rows),
                "partition": pa.array([0] * batch.num_rows, pa.int32()),
            }
            times = pc.multiply(batch.column("event_ms"), 1000).cast(pa.timestamp("us", "UTC"))
            columns = constant | {"offset": batch.column("offset"), "timestamp": times, "value": batch.column("value")}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=_RAW))
    return n_rows
