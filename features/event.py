"""The event: one payment as the history keeps it, packed into one binary value.

    | head: fixed-width little-endian numbers (HEAD) | tail: TEXTS, separated by 0xFF, a missing one is 0xFE |

The kernel reads heads of a whole partition without copying; tails are only opened for payments that leave the job.
0xFE and 0xFF never occur in UTF-8, so no text can break the packing. The version byte lets an old state be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.transaction import IDENTITIES, TEXTS

VERSION: Final = 1

_PARTITION_BITS: Final = 12
MAX_PARTITIONS: Final = 2**_PARTITION_BITS

HEAD: Final = np.dtype(
    [
        ("version", "u1"),
        ("utc_offset_min", "<i2"),
        ("exponent", "u1"),
        ("arrival", "<i8"),
        ("event_ms", "<i8"),
        ("ingest_ms", "<i8"),
        ("amount_minor", "<i8"),
        ("amount_base_minor", "<i8"),
        ("latitude", "<f8"),
        ("longitude", "<f8"),
        ("transaction_id", "<u8"),
        *((name, "<u8") for name in IDENTITIES),
    ]
)
HASHED: Final = ("transaction_id", *IDENTITIES)  # 64-bit hashes, 0 where missing

_SEPARATOR: Final = b"\xff"
_MISSING: Final = b"\xfe"

Heads = NDArray[np.void]
Texts = Mapping[str, pa.StringArray]


def arrival(partition: NDArray[np.int64], offset: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number that orders events by offset and gives the Kafka coordinates back."""
    return (offset.astype(np.int64) << _PARTITION_BITS) | partition.astype(np.int64)


def coordinates(arrivals: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """``(partition, offset)`` of arrival numbers."""
    return (arrivals & (MAX_PARTITIONS - 1)).astype(np.int32), arrivals >> _PARTITION_BITS


def hash_text(texts: pa.StringArray) -> NDArray[np.uint64]:
    """64-bit SipHash of each text, the same in every process; 0 where missing."""
    coded = texts.dictionary_encode()
    uniques = coded.dictionary.to_numpy(zero_copy_only=False)
    hashes = np.zeros(len(uniques) + 1, np.uint64)
    hashes[:-1] = pd.util.hash_array(uniques, categorize=False)
    index: NDArray[np.int64] = pc.fill_null(coded.indices, len(uniques)).to_numpy(zero_copy_only=False)
    return hashes[index]


def pack(heads: Heads, texts: Texts) -> pa.BinaryArray:
    """Pack ``n`` heads and their texts into ``n`` binary values; fills the hashes of the heads in place."""
    for name in HASHED:
        heads[name] = hash_text(texts[name])
    heads["version"] = VERSION
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(HEAD.itemsize), len(heads), [None, pa.py_buffer(heads.tobytes())]
    )
    parts = [pc.fill_null(texts[name].cast(pa.binary()), _MISSING) for name in TEXTS]
    return pc.binary_join_element_wise(fixed.cast(pa.binary()), pc.binary_join_element_wise(*parts, _SEPARATOR), b"")


def unpack_heads(events: pa.BinaryArray) -> Heads:
    """The heads of packed events, shape (n,)."""
    fixed = pc.binary_slice(events, 0, HEAD.itemsize)
    data = fixed.buffers()[2]
    return np.frombuffer(data, HEAD, count=len(fixed)) if len(fixed) else np.empty(0, HEAD)


def unpack_texts(events: pa.BinaryArray) -> dict[str, pa.StringArray]:
    """The texts of packed events by field name, null where missing."""
    longest = pc.max(pc.binary_length(events)).as_py() or HEAD.itemsize  # binary_slice reserves up to its end for each
    parts = pc.split_pattern(pc.binary_slice(events, HEAD.itemsize, longest), pattern=_SEPARATOR).flatten()
    known = pc.if_else(pc.equal(parts, _MISSING), pa.scalar(None, pa.binary()), parts)
    return {name: known.take(_every(len(TEXTS), at, len(events))).cast(pa.string()) for at, name in enumerate(TEXTS)}


def _every(step: int, start: int, n: int) -> pa.Array:
    return pa.array(np.arange(n) * step + start)
