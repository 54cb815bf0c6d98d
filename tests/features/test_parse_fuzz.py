"""Whatever the bytes are: no error, no row lost, and no row read differently because of its neighbours."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.parse import parse
from features.transaction import FIELDS
from tests.features.builders import CONTRACT, NOON_MS, encode, parsed, raw_batch, reasons_for, txn

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(FIELDS), inner),
    max_leaves=8,
)
ODD = st.sampled_from([
    0, -0.0, 1e300, 10**400, 2**1023, 2**63, "", "NaN", "1e400", " ", "\u0000", "a" * 129, "é" * 257, "USD", "JPY",
    "BHD", NOON_MS, NOON_MS - 3_600_000, NOON_MS + 300_001, "2026-01-02T11:00:00Z", "2026-01-02T12:00:00z", True, [],
])
FULL = txn(
    currency="EUR", card_id="k1", merchant_id="m1", merchant_name="Café", merchant_category="5411", city="Kyōto",
    country="JP", latitude=35.01, longitude=135.77, device_id="d1", ip="192.0.2.7", channel="web",
    counterparty_name="Ana", counterparty_country="PT",
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def nearly_valid(draw: st.DrawFn) -> bytes:
    """A good record with some fields replaced, and perhaps a few bytes too."""
    changes = draw(st.dictionaries(st.sampled_from(FIELDS), JSON | ODD, max_size=3))
    data = bytearray(as_json(FULL | changes))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=2)):
        data[at] = byte
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


RECORDS = st.one_of(
    st.none(), st.binary(max_size=60), JSON.map(as_json), st.sampled_from(encode(FULL, txn())), nearly_valid()
)


@settings(max_examples=300, deadline=None)
@given(value=RECORDS)
def test_every_record_ends_as_an_event_or_as_a_dead_letter_with_reasons(value: bytes | None) -> None:
    result = parsed(value)
    assert result.events.num_rows + result.dead.num_rows == 1
    if result.dead.num_rows:
        assert result.dead.column("reasons")[0].as_py()
        assert result.dead.column("value")[0].as_py() == value


@settings(max_examples=150, deadline=None)
@given(values=st.lists(RECORDS, max_size=12))
def test_a_record_is_parsed_alike_alone_and_among_any_others(values: list[bytes | None]) -> None:
    batch = raw_batch(values)
    together = parse(batch, CONTRACT)
    alone = [parse(batch.slice(at, 1), CONTRACT) for at in range(len(values))]
    assert together.events.to_pylist() == sum((one.events.to_pylist() for one in alone), [])
    assert together.dead.to_pylist() == sum((one.dead.to_pylist() for one in alone), [])
    assert together.events.num_rows + together.dead.num_rows == len(values)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=200))
def test_any_unicode_text_is_a_channel_or_too_long(text: str) -> None:
    assert reasons_for(*encode(txn(channel=text))) == ([] if len(text) <= 256 else ["too_long:channel"])


def fastest_s(values: list[bytes | None]) -> float:
    batch, seconds = raw_batch(values), []
    for _ in range(3):
        start = time.perf_counter()
        parse(batch, CONTRACT)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@pytest.fixture(scope="module")
def good() -> list[bytes]:
    return encode(*(FULL | {"transaction_id": f"t{i}"} for i in range(20_000)))


@pytest.fixture(scope="module")
def clean_s(good: list[bytes]) -> float:
    return fastest_s([*good])


@pytest.mark.parametrize("bad", [None, b"{", b'{"amount":1e400}', *encode(txn(user_id=5), txn(amount=10**400))])
def test_one_bad_record_does_not_make_a_batch_slow(good: list[bytes], clean_s: float, bad: bytes | None) -> None:
    assert fastest_s([*good[:-1], bad]) < 8 * clean_s  # about 1.3 times on a machine with nothing else to do


def test_a_batch_of_nothing_but_bad_records_is_dead_as_a_whole() -> None:
    values = [b"{", b"[]", None, *encode(txn(user_id=5), txn(amount=-1), {})] * 500
    result = parsed(*values)
    assert (result.events.num_rows, result.dead.num_rows) == (0, 3_000)
