"""Columns to JSON: the rows of an Arrow batch as the messages a producer would have sent.

A column at a time and without a Python object per row. An object is one join over labels and values, whose first comma
becomes its brace; a label goes with its value, null and so left out, where the column has nulls:

    ,"user_id":"   u1   "   ,"amount":   8.5   ,"city":"Oslo"   }
       label     value    label       value      both in one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from features.transaction import TEXTS

JSON: Final = pa.json_(pa.string())  # type of a column whose values are JSON already

_TEXT_FIELDS: Final = frozenset(("user_id", *TEXTS))
_NEEDS_ESCAPE: Final = np.isin(np.arange(256), [*range(0x20), ord('"'), ord("\\")])
_MAX_WHOLE: Final = 2.0**53  # further on, floats are not written as integers

Part = pa.StringArray | str


def rows_as_json(batch: pa.RecordBatch, same: Mapping[str, Any] | None = None) -> pa.BinaryArray:
    """One JSON object per row, of its values that are not null, in column order, and of ``same``, equal in all."""
    tail = "," + msgspec.json.encode(same).decode()[1:] if same else "}"
    return _objects(batch.schema.names, batch.columns, tail).cast(pa.binary())


def _objects(names: Iterable[str], columns: Iterable[pa.Array], tail: str = "}") -> pa.StringArray:
    parts = [part for name, column in zip(names, columns, strict=True) for part in _member(name, column)]
    if parts and isinstance(parts[0], str):  # the first label is there in every row
        return pc.binary_join_element_wise("{" + parts[0][1:], *parts[1:], tail, "", null_handling="skip")
    joined = pc.binary_join_element_wise(*parts, tail, "", null_handling="skip")
    return pc.if_else(pc.equal(joined, "}"), "{}", pc.binary_replace_slice(joined, 0, 1, "{"))


def _member(name: str, column: pa.Array) -> list[Part]:
    before, values, after = _values(name, column)
    label = f",{msgspec.json.encode(name).decode()}:{before}"
    if values.null_count:
        return [pc.binary_join_element_wise(label, values, after, "")]
    return [label, values, after]


def _values(name: str, column: pa.Array) -> tuple[str, pa.StringArray, str]:
    """Each value as JSON text, null where it is null, and what goes before and after it.

    Numbers in a text field, such as integer ids, become texts.
    """
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if kind == JSON:
        return "", column.storage, ""
    if types.is_timestamp(kind):
        return '"', _rfc3339_without_zone(column), 'Z"'
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return '"', _escaped(column.cast(pa.string())), '"'
    if types.is_integer(kind) or types.is_decimal(kind) or types.is_boolean(kind):
        quote = '"' if name in _TEXT_FIELDS and types.is_integer(kind) else ""
        return quote, column.cast(pa.string()), quote
    if types.is_floating(kind):
        return "", _floats(column), ""
    if types.is_struct(kind) and not column.null_count:
        return "", _objects(kind.names, column.flatten()), ""
    return "", _encoded(column), ""


def _rfc3339_without_zone(column: pa.TimestampArray) -> pa.StringArray:
    """UTC in milliseconds, 2026-03-01T00:00:00.000; Arrow takes twenty times as long to write a zone."""
    naive = utc_ms(column).cast(pa.timestamp("ms"))
    return pc.binary_replace_slice(naive.cast(pa.string()), 10, 11, "T")


def utc_ms(column: pa.TimestampArray) -> pa.TimestampArray:
    """In milliseconds, rounded down, and UTC; a column without zone is taken as UTC."""
    utc = column.cast(pa.timestamp(column.type.unit, "UTC"))
    return pc.floor_temporal(utc, unit="millisecond").cast(pa.timestamp("ms", "UTC"))


def _floats(column: pa.FloatingPointArray) -> pa.StringArray:
    """The shortest decimal that reads back as the same float. JSON has no NaN or infinity: they become texts."""
    if types.is_float16(column.type):
        column = column.cast(pa.float32())
    numbers = column.drop_null().to_numpy()
    if np.all((numbers == np.rint(numbers)) & (np.abs(numbers) < _MAX_WHOLE)):
        return column.cast(pa.int64()).cast(pa.string())  # several times faster; most features are counts
    texts = column.cast(pa.string())
    if np.isfinite(numbers).all():
        return texts
    return pc.if_else(pc.is_finite(column), texts, pc.binary_join_element_wise('"', texts, '"', ""))


def _escaped(column: pa.StringArray) -> pa.StringArray:
    content = column.buffers()[2]
    if content is None or not _NEEDS_ESCAPE[np.frombuffer(content, np.uint8)].any():
        return column
    return pc.utf8_slice_codeunits(_encoded(column), 1, -1)


def _encoded(column: pa.Array) -> pa.StringArray:
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in column.to_pylist()]
    return pa.array(texts, pa.string())
