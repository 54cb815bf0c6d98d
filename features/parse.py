"""Raw bytes to events: every record ends in exactly one of ``events`` or ``dead``, whatever the bytes are.

Works on a whole batch at a time and never raises for what a record contains. Late and future are judged from the
record alone (its event time against the time Kafka gave it), so a stream and a backfill decide alike:

            too late       |<--- max_lateness --->|<- max_skew ->|   in the future
    -----------------------+----------------------R--------------+-------------------> event time
                                             record time
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features import event
from features.clock import read_instants
from features.decode import Values, decode
from features.errors import RateTableError
from features.limit import Crowd
from features.money import RateTable
from features.numbers import missing, read_numbers
from features.transaction import (
    COORDINATES,
    IDS,
    MAX_AMOUNT_MINOR,
    MAX_ID_CHARS,
    MAX_TEXT_CHARS,
    REQUIRED,
    TEXTS,
    Reason,
)

# Windows and watermark know an event by its minute: with every step of the watermark Spark goes through all state, and
# compiles its operators anew.
TICK_MS: Final = 60_000
EVENTS: Final = pa.schema({"user_id": pa.string(), "event_time": pa.timestamp("us", "UTC"), "event": pa.binary()})
DEAD: Final = pa.schema(
    {
        "topic": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "ingest_ms": pa.int64(),
        "reasons": pa.list_(pa.string()),
        "value": pa.binary(),
    }
)
RAW_COLUMNS: Final = ("topic", "partition", "offset", "timestamp", "value")

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Contract:
    """What a record is judged by, durations in seconds, sizes in bytes; raises RateTableError if it cannot be."""

    rates: RateTable
    default_currency: str = "USD"
    max_lateness_s: int = 3600
    max_skew_s: int = 300
    max_message_bytes: int = 65_536
    max_user_payments_per_hour: int = 1_000

    def __post_init__(self) -> None:
        """Refuse a default currency that would make every record without one a dead letter."""
        if self.default_currency not in self.rates.rates:
            raise RateTableError(
                f"the default currency {self.default_currency!r} has no rate to {self.rates.base_currency}",
                "add it to contract.rates_file or set contract.default_currency",
            )

    @property
    def version(self) -> str:
        """Stands for everything a record is judged by; another text may judge another way."""
        limits = (self.max_lateness_s, self.max_skew_s, self.max_message_bytes, self.max_user_payments_per_hour)
        return ":".join(map(str, (self.rates.version, self.default_currency, *limits)))


class Parsed(NamedTuple):
    """``events`` has the schema EVENTS, ``dead`` the schema DEAD; their rows add up to the rows parsed."""

    events: pa.RecordBatch
    dead: pa.RecordBatch


@dataclass
class _Batch:
    """The fields of a batch as columns, and what was found wrong so far: ``reason -> rows``."""

    n: int
    columns: dict[str, Values]
    faults: dict[str, Bools] = field(default_factory=dict)

    def blame(self, reason: str, rows: Bools) -> None:
        if rows.any():
            self.faults[reason] = rows

    @property
    def good(self) -> Bools:
        bad: Bools = np.logical_or.reduce([np.zeros(self.n, bool), *self.faults.values()])
        return ~bad


def parse(raw: pa.RecordBatch, contract: Contract, crowd: Crowd | None = None) -> Parsed:
    """Split raw records (columns RAW_COLUMNS, ``timestamp`` being the record's own) into events and dead letters.

    With a ``crowd``, events it is sure of are dead letters here, without their bytes, just as the kernel refuses them.
    """
    batch = _read(raw.column("value"), contract.max_message_bytes)
    readable = batch.good
    heads = np.zeros(batch.n, event.HEAD)
    heads["ingest_ms"] = _record_ms(raw).to_numpy(zero_copy_only=False)
    heads["arrival"] = event.arrival(raw.column("partition").to_numpy(), raw.column("offset").to_numpy())
    texts = {name: _texts(batch, name) for name in ("user_id", *TEXTS)}
    texts["currency"] = pc.fill_null(texts["currency"], contract.default_currency)
    _blame_missing(batch, readable)
    _read_times(batch, heads, contract)
    _read_money(batch, heads, texts["currency"], contract.rates)
    _read_coordinates(batch, heads)
    if crowd is not None:
        batch.blame(Reason.USER_TOO_ACTIVE, crowd.over(texts["user_id"], heads, batch.good))
    return _split(raw, batch, heads, texts)


def _record_ms(raw: pa.RecordBatch) -> pa.Int64Array:
    return raw.column("timestamp").cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())


def _read(values: pa.BinaryArray, max_bytes: int) -> _Batch:
    too_large = _true(pc.greater(pc.binary_length(values), max_bytes))
    decoded = decode(pc.if_else(pa.array(too_large), b"{}", pc.fill_null(values, b"")).to_pylist())
    batch = _Batch(len(values), decoded.columns)
    batch.blame(Reason.TOO_LARGE, too_large)
    batch.blame(Reason.NOT_JSON, decoded.not_json)
    batch.blame(Reason.NOT_AN_OBJECT, decoded.not_an_object)
    return batch


def _texts(batch: _Batch, name: str) -> pa.StringArray:
    """A text field as an Arrow column; empty is missing, anything but a text is a fault."""
    values = batch.columns[name]
    try:
        column = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        wrong = np.fromiter((type(value) not in (str, NoneType) for value in values), bool, batch.n)
        batch.blame(f"{Reason.WRONG_TYPE}:{name}", wrong)
        column = pa.array([None if bad else value for value, bad in zip(values, wrong, strict=True)], pa.string())
    limit = MAX_ID_CHARS if name in IDS else MAX_TEXT_CHARS
    batch.blame(f"{Reason.TOO_LONG}:{name}", _true(pc.greater(pc.utf8_length(column), limit)))
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _blame_missing(batch: _Batch, readable: Bools) -> None:
    for name in REQUIRED:
        batch.blame(f"{Reason.MISSING_FIELD}:{name}", missing(batch.columns[name]) & readable)


def _read_times(batch: _Batch, heads: event.Heads, contract: Contract) -> None:
    (epoch_ms, offset_min, ok), wrong = read_instants(batch.columns["timestamp"])
    batch.blame(f"{Reason.WRONG_TYPE}:timestamp", wrong)
    batch.blame(Reason.BAD_TIMESTAMP, ~ok & ~wrong & ~missing(batch.columns["timestamp"]))
    record_ms = heads["ingest_ms"]
    batch.blame(Reason.TOO_LATE, ok & (epoch_ms < record_ms - contract.max_lateness_s * 1000))
    batch.blame(Reason.IN_THE_FUTURE, ok & (epoch_ms > record_ms + contract.max_skew_s * 1000))
    heads["event_ms"], heads["utc_offset_min"] = np.where(ok, epoch_ms, 0), offset_min


def _read_money(batch: _Batch, heads: event.Heads, currency: pa.StringArray, rates: RateTable) -> None:
    amount, wrong, not_finite = read_numbers(batch.columns["amount"], texts_too=True)
    batch.blame(f"{Reason.WRONG_TYPE}:amount", wrong)
    batch.blame(Reason.AMOUNT_NOT_FINITE, not_finite)
    batch.blame(Reason.AMOUNT_NEGATIVE, amount < 0)
    sane = np.where(np.abs(amount) < MAX_AMOUNT_MINOR, amount, 0.0)  # also turns NaN into 0
    money = rates.convert(sane, currency, heads["event_ms"])
    too_big = (np.abs(amount) >= MAX_AMOUNT_MINOR) | (np.maximum(money.minor, money.base_minor) >= MAX_AMOUNT_MINOR)
    batch.blame(Reason.AMOUNT_OUT_OF_RANGE, too_big)
    batch.blame(Reason.UNKNOWN_CURRENCY, ~money.known)
    batch.blame(Reason.NO_RATE, money.known & ~money.rated)
    heads["amount_minor"], heads["amount_base_minor"], heads["exponent"] = money.minor, money.base_minor, money.exponent


def _read_coordinates(batch: _Batch, heads: event.Heads) -> None:
    for name, limit in COORDINATES.items():
        degrees, wrong, not_finite = read_numbers(batch.columns[name], texts_too=False)
        batch.blame(f"{Reason.WRONG_TYPE}:{name}", wrong)
        batch.blame(f"{Reason.COORDINATE_OUT_OF_RANGE}:{name}", not_finite | (np.abs(degrees) > limit))
        heads[name] = degrees


def _split(raw: pa.RecordBatch, batch: _Batch, heads: event.Heads, texts: dict[str, pa.StringArray]) -> Parsed:
    good = batch.good
    kept = pa.array(np.flatnonzero(good))
    heads = heads[good]
    minutes = heads["event_ms"] // TICK_MS * TICK_MS
    times = pa.array(minutes, pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC"))
    events = event.pack(heads, {name: texts[name].take(kept) for name in TEXTS})
    dead = np.flatnonzero(~good)
    rejected = raw.take(pa.array(dead))
    reasons = [[reason for reason, rows in batch.faults.items() if rows[row]] for row in dead]
    columns = [
        *(rejected.column(name) for name in ("topic", "partition", "offset")),
        _record_ms(rejected),
        pa.array(reasons, pa.list_(pa.string())),
    ]
    return Parsed(
        pa.RecordBatch.from_arrays([texts["user_id"].take(kept), times, events], schema=EVENTS),
        pa.RecordBatch.from_arrays([*columns, _bytes_kept(rejected, batch, dead)], schema=DEAD),
    )


def _bytes_kept(rejected: pa.RecordBatch, batch: _Batch, dead: NDArray[np.int64]) -> pa.BinaryArray:
    """The original bytes, but for those who may send any number of messages."""
    crowd = batch.faults.get(Reason.USER_TOO_ACTIVE)
    value = rejected.column("value")
    return value if crowd is None else pc.if_else(pa.array(crowd[dead]), pa.scalar(None, pa.binary()), value)


def _true(column: pa.BooleanArray) -> Bools:
    known: Bools = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
    return known
