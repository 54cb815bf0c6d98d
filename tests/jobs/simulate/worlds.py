"""Small worlds and the messages of them, for the tests of the simulator."""
from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import pyarrow as pa

from features.money import RateTable
from features.parse import Contract, Parsed, parse
from jobs.settings import load_settings
from jobs.simulate.payment import DAY_MS, Payments, payments
from jobs.simulate.render import Messages
from jobs.simulate.traffic import history
from jobs.simulate.world import World

MONDAY_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
SMALL = World.create(seed=3, n_users=400)


def a_day(world: World = SMALL, n_days: int = 1) -> Payments:
    """The honest payments of so many days."""
    return np.concatenate([rows for _, rows in history(world, MONDAY_MS, MONDAY_MS + n_days * DAY_MS)])


def payment(**columns: object) -> Payments:
    return payments(1, **{"time_ms": MONDAY_MS, **columns})


def decoded(messages: Iterable[Messages]) -> list[dict[str, object]]:
    return [msgspec.json.decode(value) for batch in messages for value in batch.value]


def labels(messages: Iterable[Messages]) -> list[dict[str, object]]:
    return [row for batch in messages for row in batch.labels.to_pylist()]


def judged(messages: Iterable[Messages]) -> Parsed:
    """What the contract makes of the messages, sent to one partition in their order."""
    batches = list(messages)
    values = [value for batch in batches for value in batch.value]
    record_ms = np.concatenate([batch.record_ms for batch in batches])
    n, rates = len(values), load_settings().contract.rates_file
    raw = pa.RecordBatch.from_pydict({
        "topic": pa.array(["raw"] * n), "partition": pa.array([0] * n, pa.int32()),
        "offset": pa.array(range(n), pa.int64()),
        "timestamp": pa.array(record_ms, pa.timestamp("ms", "UTC")), "value": pa.array(values, pa.binary())})
    return parse(raw, Contract(RateTable.load(rates, "USD")))
