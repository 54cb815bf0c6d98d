"""Packing loses nothing, whatever the texts are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.event import (
    HASHED,
    HEAD,
    MAX_PARTITIONS,
    VERSION,
    arrival,
    coordinates,
    hash_text,
    pack,
    unpack_heads,
    unpack_texts,
)
from features.transaction import TEXTS

NUMBERS = [name for name in HEAD.names or () if name not in (*HASHED, "version")]
MAYBE_TEXT = st.none() | st.text(max_size=12) | st.sampled_from(["", "\x00", "\x7f\x80", "þÿ", "\U0010ffff", "a,b;c\n"])
ROW = st.fixed_dictionaries({name: MAYBE_TEXT for name in TEXTS})
INT64 = st.integers(-(2**63), 2**63 - 1)


def columns(rows: list[dict[str, str | None]]) -> dict[str, pa.StringArray]:
    return {name: pa.array([row[name] for row in rows], pa.string()) for name in TEXTS}


def heads_of(n: int, **values: Any) -> np.ndarray:
    heads = np.zeros(n, HEAD)
    for name, value in values.items():
        heads[name] = value
    return heads


def siphash_24(data: bytes, key: bytes) -> int:
    """As in the paper (J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, 2012)."""
    k0, k1 = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    start = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [constant ^ k for constant, k in zip(start, (k0, k1, k0, k1), strict=True)]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def sip_rounds(v: list[int], n: int) -> None:
    def mix(a: int, b: int, bits: int) -> None:
        v[a] = (v[a] + v[b]) % 2**64
        v[b] = rotated(v[b], bits) ^ v[a]

    for _ in range(n):
        mix(0, 1, 13), mix(2, 3, 16)
        v[0] = rotated(v[0], 32)
        mix(2, 1, 17), mix(0, 3, 21)
        v[2] = rotated(v[2], 32)


def mixed(word: int) -> int:
    """The last steps of splitmix64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = (word ^ word >> shift) * factor % 2**64
    return word ^ word >> 31


def rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) % 2**64


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROW, max_size=6))
def test_texts_come_back_as_they_were_and_missing_is_not_empty(rows: list[dict[str, str | None]]) -> None:
    packed = pack(heads_of(len(rows)), columns(rows))
    found = unpack_texts(packed)
    assert [{name: found[name][at].as_py() for name in TEXTS} for at in range(len(rows))] == rows


@settings(max_examples=100, deadline=None)
@given(data=st.data(), n=st.integers(0, 5))
def test_numbers_come_back_to_the_bit(data: st.DataObject, n: int) -> None:
    heads = heads_of(n)
    for name in NUMBERS:
        kind = heads.dtype[name]
        values = st.floats() if kind.kind == "f" else st.integers(np.iinfo(kind).min, np.iinfo(kind).max)
        heads[name] = data.draw(st.lists(values, min_size=n, max_size=n))
    found = unpack_heads(pack(heads.copy(), columns([dict.fromkeys(TEXTS)] * n)))
    assert all(found[name].tobytes() == heads[name].tobytes() for name in NUMBERS)
    assert set(found["version"].tolist()) <= {VERSION}


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(ROW, min_size=2, max_size=6), start=st.integers(0, 3))
def test_a_slice_of_packed_events_unpacks_like_the_events_it_holds(
    rows: list[dict[str, str | None]], start: int
) -> None:
    packed = pack(heads_of(len(rows), arrival=np.arange(len(rows))), columns(rows))
    part = packed.slice(start, 2)
    assert unpack_heads(part)["arrival"].tolist() == list(range(len(rows)))[start : start + 2]
    assert unpack_texts(part)["city"].to_pylist() == [row["city"] for row in rows[start : start + 2]]


@settings(max_examples=200, deadline=None)
@given(partition=st.integers(0, MAX_PARTITIONS - 1), offset=st.integers(0, 2**51 - 1))
def test_an_arrival_gives_its_coordinates_back(partition: int, offset: int) -> None:
    number = arrival(np.array([partition]), np.array([offset]))
    assert number[0] >= 0
    assert tuple(column[0] for column in coordinates(number)) == (partition, offset)


@settings(max_examples=100, deadline=None)
@given(partitions=st.tuples(*[st.integers(0, MAX_PARTITIONS - 1)] * 2), offset=st.integers(0, 2**51 - 2))
def test_a_later_offset_arrives_later_whatever_the_partition(partitions: tuple[int, int], offset: int) -> None:
    first, second = arrival(np.array(partitions, np.int32), np.array([offset, offset + 1]))
    assert first < second


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(MAYBE_TEXT, max_size=20))
def test_equal_texts_have_equal_hashes_and_missing_has_none(texts: list[str | None]) -> None:
    hashes = hash_text(pa.array(texts, pa.string())).tolist()
    assert [value == 0 for value in hashes] == [text is None for text in texts]
    assert len(set(hashes)) == len(set(texts))
    assert hashes == [int(hash_text(pa.array([text], pa.string()))[0]) for text in texts]


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=40))
def test_a_hash_is_mixed_siphash_24_in_every_process_and_release(text: str) -> None:
    """Another hash would make every merchant in a running state a new one: then event.VERSION must be raised."""
    assert hash_text(pa.array([text])).tolist() == [mixed(siphash_24(text.encode(), b"0123456789123456"))]


def test_the_hashes_of_an_event_are_those_of_its_texts() -> None:
    texts = dict.fromkeys(TEXTS) | {"transaction_id": "t1", "city": "Rome", "country": "Rome"}
    head = unpack_heads(pack(heads_of(1), columns([texts])))[0]
    assert head["city"] == head["country"] == hash_text(pa.array(["Rome"]))[0]
    assert head["transaction_id"] == hash_text(pa.array(["t1"]))[0]
    assert head["merchant_id"] == 0


@pytest.mark.parametrize("n", [0, 1])
def test_packing_works_for_few_and_for_none(n: int) -> None:
    packed = pack(heads_of(n), columns([dict.fromkeys(TEXTS)] * n))
    assert len(packed) == len(unpack_heads(packed)) == len(unpack_texts(packed)["city"]) == n
