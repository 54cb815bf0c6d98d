"""The kernel in Spark: raw records -> events -> histories -> features, the same three steps in stream and batch.

    raw --with_events--> user_id, event --with_histories--> user_id, events --with_features--> one row a payment

A history is Spark's own windowed ``collect_list``; for a horizon H and lookahead L, both in whole hours, windows of 4H
slide by 3H - L (for H < L: of H + 3L by 2L), so that every payment has exactly one window that reaches back H and ahead
L of it, and there it is new. All windows begin and end with an hour, so that the limit is judged on whole ones:

    window k      [ . H . |------- new here -------| L ]
    window k+1                            [ . H . |------- new here -------| L ]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everyone uses for it
from pyspark.sql import types as T  # noqa: N812

from features import event
from features.catalogue import FeatureSet
from features.event import Heads
from features.kernel import Features, compute
from features.limit import HOUR_MS, Crowd, FullHour, whole_hours_ms
from features.money import EXPONENT
from features.parse import Contract, Parsed, parse
from features.timeline import Floats
from features.transaction import TEXTS, Reason

EVENTS_DDL: Final = "user_id string, event_time timestamp, event binary"
FULL_HOURS: Final = "tidewatch.full_hours"  # local property of a job: full_hours_text of what is known before it runs
_MS: Final = 1_000

OnParsed = Callable[[Parsed], None]
OnFeatures = Callable[[Features, Sequence[FullHour]], None]


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
    """How far windows reach: the horizon back, and the lookahead within which an original may follow its repeat.

    ``max_per_hour`` is the limit on one user (features/limit.py).
    """

    horizon: timedelta
    lookahead: timedelta
    max_per_hour: int

    @classmethod
    def of(cls, chosen: FeatureSet, contract: Contract) -> History:
        """Windows for a feature list under a contract."""
        ahead = timedelta(seconds=contract.max_lateness_s + contract.max_skew_s)
        return cls(timedelta(seconds=chosen.horizon_s), ahead, contract.max_user_payments_per_hour)

    @property
    def length_ms(self) -> int:
        """Length of a window."""
        return self.back_ms + self.slide_ms + self.ahead_ms

    @property
    def slide_ms(self) -> int:
        """Distance between windows, and the stretch of each in which events are new; whole hours, so whole ticks."""
        return 3 * max(self.back_ms, self.ahead_ms) - self.ahead_ms

    @property
    def back_ms(self) -> int:
        """How far a window reaches back of what is new in it: the horizon in whole hours."""
        return whole_hours_ms(self.horizon_ms)

    @property
    def ahead_ms(self) -> int:
        """How far a window reaches ahead of what is new in it: the lookahead in whole hours."""
        return whole_hours_ms(self.lookahead_ms)

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
        since = event_ms - window_start - self.back_ms
        return (since >= 0) & (since < self.slide_ms)


def with_events(raw: DataFrame, contract: Contract, on_parsed: OnParsed | None = None) -> DataFrame:
    """Parse raw records (columns topic, partition, offset, timestamp, value) to ``user_id``, minute and ``event``.

    ``on_parsed`` is called in the worker with every batch, at least once: its dead letters go no further than that.
    Where there is one, a user's events over the limit become dead letters here already, as far as that is certain.
    """
    columns = raw.select("topic", "partition", "offset", "timestamp", "value")
    return columns.mapInArrow(partial(_parse_batches, contract=contract, on_parsed=on_parsed), EVENTS_DDL)


def _parse_batches(
    batches: Iterator[pa.RecordBatch], contract: Contract, on_parsed: OnParsed | None
) -> Iterator[pa.RecordBatch]:
    crowd = None if on_parsed is None else Crowd(contract.max_user_payments_per_hour, _known_full_hours())
    for batch in batches:
        parsed = parse(batch, contract, crowd)
        if on_parsed is not None:
            on_parsed(parsed)
        yield parsed.events


def full_hours_text(hours: Sequence[FullHour]) -> str:
    """As the local property FULL_HOURS takes them."""
    return json.dumps(hours)


def _known_full_hours() -> list[FullHour]:
    context = TaskContext.get()
    known = context and context.getLocalProperty(FULL_HOURS)
    return [FullHour(*hour) for hour in json.loads(known or "[]")]


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
    """One row for each new payment: its fields, ``features`` (a struct, null where missing), ``refused`` (the reason).

    ``reached_limit`` is the limit where a payment is the last that is taken of its user in its hour. A refused payment
    has no features. ``on_features`` is called in the worker with what was computed of every batch, at least once, and
    with the hours that are full by now.
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
    judged = [T.StructField("refused", T.StringType()), T.StructField("reached_limit", T.DoubleType())]
    last = [*judged, T.StructField("features", features)]
    return T.StructType([T.StructField("user_id", T.StringType()), *texts, *numbers, *times, *place, *last])


class Payments(NamedTuple):
    """What is new in a batch of histories: payments, then refused ones, which have no features.

    ``fields`` are columns as ``payment_schema`` names them, up to the coordinates. ``refused`` is the reason, or None.
    ``reached_limit`` is the limit of a user where he reached it, else NaN; refused payments that did come first, and
    have rows in ``matrix``, all missing, since they are to be told. Shape (n_payments + n_of_those, n_features).
    """

    fields: dict[str, pa.Array]
    refused: list[str | None]
    reached_limit: Floats
    matrix: Floats

    @property
    def n_payments(self) -> int:
        """How many are not refused."""
        return self.refused.count(None)


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
        found = compute(user, heads, new, self.chosen, self.history.lookahead_ms, self.history.max_per_hour)
        user_ids, last = histories.column("user_id"), found.last_admitted
        if self.on_features is not None:
            self.on_features(found, _full_hours(user_ids.take(pa.array(user[last])), heads[last]))
        is_told = np.isin(found.duplicates, last)
        at = np.concatenate([found.rows, found.duplicates[is_told], found.duplicates[~is_told], found.too_active])
        refused = [None] * len(found.rows) + [Reason.DUPLICATE] * len(is_told)
        refused += [Reason.USER_TOO_ACTIVE] * len(found.too_active)
        reached_limit = np.where(np.isin(at, last), float(self.history.max_per_hour), np.nan)
        fields = _payment_fields(user_ids.take(pa.array(user[at])), heads[at], events.take(pa.array(at)), self.chosen)
        return Payments(fields, refused, reached_limit, _with_blanks(found.matrix, int(is_told.sum())))


def _full_hours(user_id: pa.Array, last_admitted: Heads) -> list[FullHour]:
    hours = last_admitted["event_ms"] // HOUR_MS
    return list(map(FullHour, user_id.to_pylist(), hours.tolist(), last_admitted["arrival"].tolist()))


def _with_blanks(matrix: Floats, n_more: int) -> Floats:
    return np.concatenate([matrix, np.full((n_more, matrix.shape[1]), np.nan)]) if n_more else matrix


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
    matrix = _with_blanks(payments.matrix, len(payments.refused) - len(payments.matrix))
    columns = [pa.array(column, from_pandas=True) for column in matrix.T.copy()]
    judged = {
        "refused": pa.array(payments.refused, pa.string()),
        "reached_limit": pa.array(payments.reached_limit, from_pandas=True),
        "features": pa.StructArray.from_arrays(columns, names=list(chosen.names)),
    }
    return pa.RecordBatch.from_pydict({**payments.fields, **judged})
