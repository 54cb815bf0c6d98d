"""The kernel in Spark: raw records -> events -> histories -> features, the same three steps in stream and batch.

    raw --with_events--> user_id, event --with_histories--> user_id, events --with_features--> one row a payment

A history is Spark's own windowed ``collect_list``; for a horizon H and lookahead L, windows of 4H slide by 3H - L (for
H < L: of H + 3L by 2L), so that every payment has exactly one window that reaches back H and ahead L of it, and there
it is new:

    window k      [ . H . |------- new here -------| L ]
    window k+1                            [ . H . |------- new here -------| L ]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everyone uses for it
from pyspark.sql import types as T  # noqa: N812

from features import event
from features.catalogue import FeatureSet
from features.event import Heads
from features.kernel import Features, compute
from features.money import EXPONENT
from features.parse import TICK_MS, Contract, Parsed, parse
from features.timeline import Floats
from features.transaction import TEXTS

EVENTS_DDL: Final = "user_id string, event_time timestamp, event binary"
_MS: Final = 1_000

OnParsed = Callable[[Parsed], None]
OnFeatures = Callable[[Features], None]


class IsNew(Protocol):
    """Which events of a history are to be answered now, by their heads."""

    def __call__(self, heads: Heads) -> NDArray[np.bool_]:
        """A mask of the events, shape (n,)."""


@dataclass(frozen=True)
class ArrivedSince:
    """Events at or after an offset of their partition: those of the present micro-batch."""

    start_offsets: tuple[int, ...]

    def __call__(self, heads: Heads) -> NDArray[np.bool_]:
        """Compare each event's Kafka coordinates; a partition that is new to the job starts at 0."""
        partition, offset = event.coordinates(heads["arrival"])
        known = np.zeros(event.MAX_PARTITIONS, np.int64)
        known[: len(self.start_offsets)] = self.start_offsets
        return offset >= known[partition]


@dataclass(frozen=True)
class HappenedBetween:
    """Events with ``from_ms <= event time < until_ms``: a stretch of history to be rebuilt."""

    from_ms: int
    until_ms: int

    def __call__(self, heads: Heads) -> NDArray[np.bool_]:
        """Compare event times."""
        return (heads["event_ms"] >= self.from_ms) & (heads["event_ms"] < self.until_ms)


@dataclass(frozen=True)
class History:
    """How far windows reach: the horizon back, and the lookahead within which an original may follow its repeat."""

    horizon: timedelta
    lookahead: timedelta

    @classmethod
    def of(cls, chosen: FeatureSet, contract: Contract) -> History:
        """Windows for a feature list under a contract."""
        ahead = timedelta(seconds=contract.max_lateness_s + contract.max_skew_s)
        return cls(timedelta(seconds=chosen.horizon_s), ahead)

    @property
    def length_ms(self) -> int:
        """Length of a window."""
        return self.horizon_ms + self.slide_ms + self.lookahead_ms

    @property
    def slide_ms(self) -> int:
        """Distance between windows, and the stretch of each in which events are new; a multiple of TICK_MS."""
        exact = 3 * max(self.horizon_ms, self.lookahead_ms) - self.lookahead_ms
        return exact // TICK_MS * TICK_MS

    @property
    def horizon_ms(self) -> int:
        """The horizon in milliseconds."""
        return int(self.horizon.total_seconds()) * _MS

    @property
    def lookahead_ms(self) -> int:
        """The lookahead in milliseconds."""
        return int(self.lookahead.total_seconds()) * _MS

    def at_home(self, window_start: NDArray[np.int64], event_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which events are new in the windows that start then: each event in one window, and in no other."""
        since = event_ms - window_start - self.horizon_ms
        return (since >= 0) & (since < self.slide_ms)


def with_events(raw: DataFrame, contract: Contract, on_parsed: OnParsed | None = None) -> DataFrame:
    """Parse raw records (columns topic, partition, offset, timestamp, value) to ``user_id``, minute and ``event``.

    ``on_parsed`` is called in the worker with every batch, at least once: its dead letters go no further than that.
    """
    columns = raw.select("topic", "partition", "offset", "timestamp", "value")
    return columns.mapInArrow(partial(_parse_batches, contract=contract, on_parsed=on_parsed), EVENTS_DDL)


def _parse_batches(
    batches: Iterator[pa.RecordBatch], contract: Contract, on_parsed: OnParsed | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        parsed = parse(batch, contract)
        if on_parsed is not None:
            on_parsed(parsed)
        yield parsed.events


def with_histories(events: DataFrame, history: History) -> DataFrame:
    """Gather the events of each user and window: ``user_id, window_start (ms), events``."""
    window = F.window("event_time", f"{history.length_ms} milliseconds", f"{history.slide_ms} milliseconds")
    return (
        events.groupBy("user_id", window)
        .agg(F.collect_list("event").alias("events"))
        .select("user_id", F.unix_millis("window.start").alias("window_start"), "events")
    )


def with_features(
    histories: DataFrame, history: History, chosen: FeatureSet, is_new: IsNew, on_features: OnFeatures | None = None
) -> DataFrame:
    """One row for each new payment: its fields, ``features`` (a struct, null where missing) and ``is_duplicate``.

    ``on_features`` is called in the worker with what was computed of every batch, at least once.
    """
    find = FindPayments(history, chosen, is_new, on_features)
    return histories.mapInArrow(partial(_compute_batches, find=find), payment_schema(chosen))


def payment_schema(chosen: FeatureSet) -> T.StructType:
    """What ``with_features`` gives. Amounts in whole units, times in UTC, ``raw_*`` the Kafka coordinates."""
    texts = [T.StructField(name, T.StringType()) for name in TEXTS]
    numbers = [T.StructField(name, T.DoubleType()) for name in ("amount", "amount_base", "latitude", "longitude")]
    times = [T.StructField(name, T.TimestampType()) for name in ("event_time", "ingest_time")]
    place = [T.StructField("raw_partition", T.IntegerType()), T.StructField("raw_offset", T.LongType())]
    features = T.StructType([T.StructField(name, T.DoubleType()) for name in chosen.names])
    last = [T.StructField("is_duplicate", T.BooleanType()), T.StructField("features", features)]
    return T.StructType([T.StructField("user_id", T.StringType()), *texts, *numbers, *times, *place, *last])


class Payments(NamedTuple):
    """What is new in a batch of histories: ``fields`` of the payments, then of the duplicates, which have no features.

    ``fields`` are columns as ``payment_schema`` names them, up to the features; ``matrix`` has shape
    (n_payments, n_features), NaN where missing.
    """

    fields: dict[str, pa.Array]
    matrix: Floats
    n_duplicates: int

    @property
    def is_duplicate(self) -> NDArray[np.bool_]:
        """Which of the rows of ``fields``: the last ones."""
        return np.arange(len(self.matrix) + self.n_duplicates) >= len(self.matrix)


@dataclass(frozen=True)
class FindPayments:
    """Finds and computes what is new in Arrow batches of histories; runs in the workers."""

    history: History
    chosen: FeatureSet
    is_new: IsNew
    on_features: OnFeatures | None = None

    def __call__(self, histories: pa.RecordBatch) -> Payments:
        """Features of the new payments of a batch (columns user_id, window_start, events)."""
        lists = histories.column("events")
        events, user = lists.flatten(), pc.list_parent_indices(lists).to_numpy()
        heads = event.unpack_heads(events)
        window_start = histories.column("window_start").to_numpy()[user]
        new = self.history.at_home(window_start, heads["event_ms"]) & self.is_new(heads)
        found = compute(user, heads, new, self.chosen, self.history.lookahead_ms)
        if self.on_features is not None:
            self.on_features(found)
        at = np.concatenate([found.rows, found.duplicates])
        user_id = histories.column("user_id").take(pa.array(user[at]))
        fields = _payment_fields(user_id, heads[at], events.take(pa.array(at)), self.chosen)
        return Payments(fields, found.matrix, len(found.duplicates))


def _compute_batches(histories: Iterator[pa.RecordBatch], find: FindPayments) -> Iterator[pa.RecordBatch]:
    for batch in histories:
        yield _batch_of(find(batch), find.chosen)


def _payment_fields(user_id: pa.Array, heads: Heads, events: pa.Array, chosen: FeatureSet) -> dict[str, pa.Array]:
    base_exponent = EXPONENT[chosen.base_currency]
    partition, offset = event.coordinates(heads["arrival"])
    numbers = {
        "amount": heads["amount_minor"] / 10.0 ** heads["exponent"],
        "amount_base": heads["amount_base_minor"] / 10.0**base_exponent,
        "latitude": heads["latitude"],
        "longitude": heads["longitude"],
    }
    times = {"event_time": heads["event_ms"], "ingest_time": heads["ingest_ms"]}
    return {
        "user_id": user_id,
        **event.unpack_texts(events),
        **{name: pa.array(values, from_pandas=True) for name, values in numbers.items()},
        **{name: pa.array(ms * _MS, pa.timestamp("us", "UTC")) for name, ms in times.items()},
        "raw_partition": pa.array(partition),
        "raw_offset": pa.array(offset),
    }


def _batch_of(payments: Payments, chosen: FeatureSet) -> pa.RecordBatch:
    blank = np.full((payments.n_duplicates, len(chosen.names)), np.nan)
    columns = [pa.array(column, from_pandas=True) for column in np.concatenate([payments.matrix, blank]).T.copy()]
    features = pa.StructArray.from_arrays(columns, names=list(chosen.names))
    last = {"is_duplicate": pa.array(payments.is_duplicate), "features": features}
    return pa.RecordBatch.from_pydict({**payments.fields, **last})
