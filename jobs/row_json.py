"""Columns to JSON: the rows of an Arrow batch as the messages a producer would have sent."""
from __future__ import annotations

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from features.transaction import TEXTS

TEXT_FIELDS = frozenset(("user_id", *TEXTS))
NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def rows_as_json(batch: pa.RecordBatch) -> pa.BinaryArray:
    """One JSON object per row, of its values that are not null, in column order."""
    members = [_member(name, batch.column(name)) for name in batch.schema.names]
    joined = pc.binary_join_element_wise(*members, ",", null_handling="skip")
    return pc.binary_join_element_wise("{", joined, "}", "").cast(pa.binary())


def _member(name: str, column: pa.Array) -> pa.StringArray:
    label = msgspec.json.encode(name).decode()
    return pc.binary_join_element_wise(f"{label}:", _values(name, column), "")


def _values(name: str, column: pa.Array) -> pa.StringArray:
    """Each value as JSON text, null where it is null. Numbers in a text field, such as integer ids, become texts."""
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_timestamp(kind):
        return _quoted(rfc3339(column))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _quoted(_escaped(column.cast(pa.string())))
    if name in TEXT_FIELDS and types.is_integer(kind):
        return _quoted(column.cast(pa.string()))
    if types.is_floating(kind):
        return _floats(column)
    if types.is_integer(kind) or types.is_decimal(kind) or types.is_boolean(kind):
        return column.cast(pa.string())
    return _encoded(column)


def rfc3339(column: pa.TimestampArray) -> pa.StringArray:
    return pc.replace_substring(utc_ms(column).cast(pa.string()), " ", "T")


def utc_ms(column: pa.TimestampArray) -> pa.TimestampArray:
    """In milliseconds, rounded down, and UTC; a column without zone is taken as UTC."""
    utc = column.cast(pa.timestamp(column.type.unit, "UTC"))
    return pc.floor_temporal(utc, unit="millisecond").cast(pa.timestamp("ms", "UTC"))


def _floats(column: pa.FloatingPointArray) -> pa.StringArray:
    """The shortest decimal that reads back as the same float. JSON has no NaN or infinity: they become texts."""
    if types.is_float16(column.type):
        column = column.cast(pa.float32())
    texts = column.cast(pa.string())
    return pc.if_else(pc.is_finite(column), texts, _quoted(texts))


def _escaped(column: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(column, NEEDS_ESCAPE)).as_py():
        return column
    return pc.utf8_slice_codeunits(_encoded(column), 1, -1)


def _encoded(column: pa.Array) -> pa.StringArray:
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise('"', texts, '"', "")
