"""The kernel in Spark gives what the kernel gives without it, however the stream is cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features import event
from features.catalogue import FeatureSet
from features.kernel import compute
from features.parse import parse
from features.transaction import IDENTITIES
from tests.features.builders import CONTRACT, NOON_MS, encode, raw_batch, txn
from tests.features.oracle import Payment
from tests.features.test_kernel import random_payments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from features.spark import IsNew

pytestmark = pytest.mark.spark

DAILY = FeatureSet()
HOURLY = FeatureSet(3_600, (60, 3_600), (3_600,), 3_600)  # lateness outlasts its horizon
FORTNIGHT_MS = 14 * 86_400_000

Answers = dict[int, tuple[str, str, bool, bytes]]  # by offset: user, id, is it a duplicate, its features


def record_of(payment: Payment) -> bytes:
    offset = timedelta(minutes=payment.offset_min or 0)
    there = datetime.fromtimestamp(payment.event_ms // 1000, UTC) + offset
    sign, minutes = "-+"[offset >= timedelta()], abs(payment.offset_min or 0)
    zone = f".{payment.event_ms % 1000:03}{sign}{minutes // 60:02}:{minutes % 60:02}"
    latitude, longitude = payment.place or (None, None)
    return encode(txn(
        transaction_id=payment.id, user_id=payment.user, amount=payment.cents / 100, latitude=latitude,
        longitude=longitude, timestamp=there.strftime("%Y-%m-%dT%H:%M:%S") + zone,
        **{name: getattr(payment, name) for name in IDENTITIES},
    ))[0]


@pytest.fixture(scope="module")
def raw() -> pa.RecordBatch:
    """Two weeks of three users in order of arrival, with repeats and stragglers, and some refused records."""
    payments = random_payments(3, 220, spread_ms=FORTNIGHT_MS)
    shifts_ms = cycle((0, 60_000, -60_000))
    payments += [replace(p, arrival=p.arrival + 50, event_ms=p.event_ms + next(shifts_ms)) for p in payments[::12]]
    records = [(record_of(p), p.event_ms) for p in sorted(payments, key=lambda p: p.arrival)]
    for at in (0, 60, 180):
        records[at:at] = [(b"{", NOON_MS), (records[at][0], NOON_MS + 2 * FORTNIGHT_MS)]
    values, times = zip(*records, strict=True)
    return raw_batch(values, times)


def plain_answers(raw: pa.RecordBatch, chosen: FeatureSet) -> Answers:
    """One parse and one compute over everything."""
    events = parse(raw, CONTRACT).events
    packed, user_ids = events.column("event"), events.column("user_id").to_pylist()
    heads = event.unpack_heads(packed)
    user = np.unique(user_ids, return_inverse=True)[1]
    found = compute(user, heads, np.ones(len(heads), bool), chosen, lookahead_ms=3_900_000)
    matrix = np.full((len(heads), len(chosen.names)), np.nan)
    matrix[found.rows] = found.matrix
    ids, offsets = event.unpack_texts(packed)["transaction_id"].to_pylist(), event.coordinates(heads["arrival"])[1]
    dead = set(found.duplicates.tolist())
    return {
        offset: (user_ids[at], ids[at], at in dead, matrix[at].tobytes()) for at, offset in enumerate(offsets.tolist())
    }


def spark_answers(raw: DataFrame, chosen: FeatureSet, is_new: IsNew) -> Answers:
    from features.spark import History, with_events, with_features, with_histories

    history = History.of(chosen, CONTRACT)
    rows = (
        raw.transform(with_events, CONTRACT)
        .transform(with_histories, history)
        .transform(with_features, history, chosen, is_new)
        .toArrow()
    )
    offsets = rows["raw_offset"].to_pylist()
    assert len(set(offsets)) == len(offsets)
    matrix = np.column_stack([pc.struct_field(rows["features"], name).to_numpy() for name in chosen.names])
    told = [rows[name].to_pylist() for name in ("user_id", "transaction_id")]
    told.append([reason == "duplicate" for reason in rows["refused"].to_pylist()])
    return dict(zip(offsets, zip(*told, (row.tobytes() for row in matrix), strict=True), strict=True))


def in_spark(spark: SparkSession, raw: pa.RecordBatch) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_batches([raw])).repartition(3)


@pytest.mark.parametrize("chosen", [DAILY, HOURLY], ids=["daily", "hourly"])
def test_a_batch_gives_the_features_of_the_plain_functions_to_the_bit(
    spark: SparkSession, raw: pa.RecordBatch, chosen: FeatureSet
) -> None:
    from features.spark import HappenedBetween

    expected = plain_answers(raw, chosen)
    assert 200 < len(expected) < raw.num_rows
    assert 10 < sum(is_duplicate for _, _, is_duplicate, _ in expected.values()) < 50
    assert spark_answers(in_spark(spark, raw), chosen, HappenedBetween(0, 2**62)) == expected


def test_micro_batches_give_together_what_one_batch_gives(spark: SparkSession, raw: pa.RecordBatch) -> None:
    from features.spark import ArrivedSince

    served: Answers = {}
    for start, end in pairwise((0, 1, 130, raw.num_rows)):
        arrived = in_spark(spark, raw.slice(0, end))
        answers = spark_answers(arrived, DAILY, ArrivedSince((start,)))
        assert all(start <= offset < end for offset in answers)
        served |= answers
    assert served == plain_answers(raw, DAILY)


def test_a_payment_leaves_with_its_fields_its_times_and_null_for_what_is_missing(spark: SparkSession) -> None:
    from features.spark import HappenedBetween, History, payment_schema, with_events, with_features, with_histories

    record = txn(currency="JPY", amount=1000, city="Kyōto", latitude=35.0, timestamp="2026-01-02T12:00:00.250Z")
    history = History.of(DAILY, CONTRACT)
    row = (
        in_spark(spark, raw_batch(encode(record)))
        .transform(with_events, CONTRACT)
        .transform(with_histories, history)
        .transform(with_features, history, DAILY, HappenedBetween(0, 2**62))
    ).collect()[0]
    fields = row.asDict()
    features = fields.pop("features").asDict()
    event_time, ingest_time = (fields.pop(name).replace(tzinfo=UTC) for name in ("event_time", "ingest_time"))
    assert {name: value for name, value in fields.items() if value is not None} == {
        "user_id": "u1", "transaction_id": "t1", "currency": "JPY", "city": "Kyōto", "amount": 1000.0,
        "amount_base": 6.7, "latitude": 35.0, "raw_partition": 0, "raw_offset": 0,
    }
    assert (event_time.timestamp(), ingest_time.timestamp()) == (NOON_MS / 1000 + 0.25, NOON_MS / 1000)
    assert list(features) == list(DAILY.names)
    assert (features["count_1m"], features["gap_s"]) == (1.0, None)
    assert row.__fields__ == payment_schema(DAILY).names
