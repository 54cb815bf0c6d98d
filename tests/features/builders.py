"""Small builders: raw records and packed events with one difference at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from features.event import HEAD, Heads, hash_text
from features.money import RateTable
from features.parse import RAW_COLUMNS, Contract, Parsed, parse
from tests.features.oracle import Payment

RATES = RateTable.load(Path(__file__).parents[2] / "conf" / "rates.csv", "USD")
CONTRACT = Contract(RATES)
NOON_MS = 1_767_355_200_000  # 2026-01-02T12:00:00Z


def txn(**changes: Any) -> dict[str, Any]:
    """A raw transaction at noon; a field set to None is left out."""
    record = {"transaction_id": "t1", "user_id": "u1", "amount": 10.0, "timestamp": "2026-01-02T12:00:00Z"} | changes
    return {name: value for name, value in record.items() if value is not None}


def raw_batch(values: Iterable[bytes | None], record_ms: int | Sequence[int] = NOON_MS) -> pa.RecordBatch:
    """Records as Kafka holds them, all in one partition; the time of each, or of all."""
    values = list(values)
    n = len(values)
    columns = [
        pa.array(["raw"] * n, pa.string()),
        pa.array(np.zeros(n, np.int32)),
        pa.array(np.arange(n, dtype=np.int64)),
        pa.array(np.broadcast_to(record_ms, n), pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC")),
        pa.array(values, pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(RAW_COLUMNS))


def encode(*records: Any) -> list[bytes]:
    return [msgspec.json.encode(record) for record in records]


def parsed(*values: bytes | None, record_ms: int = NOON_MS, contract: Contract = CONTRACT) -> Parsed:
    return parse(raw_batch(values, record_ms), contract)


def reasons_for(value: bytes | None, record_ms: int = NOON_MS, contract: Contract = CONTRACT) -> list[str]:
    """The reasons against a single record; none if it is an event."""
    result = parsed(value, record_ms=record_ms, contract=contract)
    assert result.events.num_rows + result.dead.num_rows == 1
    return sum(result.dead.column("reasons").to_pylist(), [])


def to_heads(payments: list[Payment]) -> tuple[np.ndarray, Heads]:
    """Payments of the oracle as the kernel takes them: ``(user numbers, heads)``."""
    heads = np.zeros(len(payments), HEAD)
    heads["exponent"] = 2
    heads["arrival"] = [p.arrival for p in payments]
    heads["event_ms"] = [p.event_ms for p in payments]
    heads["amount_minor"] = heads["amount_base_minor"] = [p.cents for p in payments]
    heads["utc_offset_min"] = [p.offset_min or 0 for p in payments]
    for axis, name in enumerate(("latitude", "longitude")):
        heads[name] = [p.place[axis] if p.place else np.nan for p in payments]
    for name in ("merchant_id", "merchant_category", "city", "country", "device_id", "card_id"):
        heads[name] = hash_text(pa.array([getattr(p, name) for p in payments], pa.string()))
    heads["transaction_id"] = hash_text(pa.array([p.id for p in payments], pa.string()))
    return np.unique([p.user for p in payments], return_inverse=True)[1], heads
