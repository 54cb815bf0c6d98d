"""JSON records to columns of decoded values, where one bad record costs itself and nobody else."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.transaction import FIELDS, Reason

Values = tuple[Any, ...]

_Record = msgspec.defstruct("_Record", [(name, Any, None) for name in FIELDS])
_decode = msgspec.json.Decoder(_Record).decode
_decode_huge = msgspec.json.Decoder(_Record, float_hook=float).decode  # slower, but takes 1e400, as infinite
_BLANK: Final = _Record()
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Decoded(NamedTuple):
    """``columns`` has the values of each of FIELDS, None where absent; the masks are the records that gave none."""

    columns: dict[str, Values]
    not_json: NDArray[np.bool_]
    not_an_object: NDArray[np.bool_]


def decode(payloads: list[bytes]) -> Decoded:
    """Decode one JSON object each; names that are not among FIELDS are passed over."""
    try:
        return Decoded(_columns(list(map(_decode, payloads))), *np.zeros((2, len(payloads)), bool))
    except _UNREADABLE:
        found = [_decode_one(payload) for payload in payloads]
    columns = _columns([_BLANK if type(record) is str else record for record in found])
    not_json, not_an_object = (
        np.fromiter((record is reason for record in found), bool, len(found))
        for reason in (Reason.NOT_JSON, Reason.NOT_AN_OBJECT)
    )
    return Decoded(columns, not_json, not_an_object)


def _decode_one(payload: bytes) -> Any:
    """The record, or the reason why there is none."""
    try:
        return _decode(payload)
    except msgspec.ValidationError:  # every field may be anything: no object, or a number too large
        return _decode_again(payload)
    except _UNREADABLE:
        return Reason.NOT_JSON


def _decode_again(payload: bytes) -> Any:
    if not payload.lstrip().startswith(b"{"):
        return Reason.NOT_AN_OBJECT
    try:
        return _decode_huge(payload)
    except _UNREADABLE:  # here also an integer of thousands of digits
        return Reason.NOT_JSON


def _columns(records: list[Any]) -> dict[str, Values]:
    return {name: tuple(map(attrgetter(name), records)) for name in FIELDS}
