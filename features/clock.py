"""RFC 3339 timestamps, a column at a time."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NO_OFFSET: Final = -(2**15)  # utc_offset_min of a timestamp that carries no zone (epoch milliseconds)
MAX_EPOCH_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

_RFC3339: Final = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
_LONGEST: Final = len("2026-01-01T00:00:00.000000000+00:00")
_DAYS_IN_MONTH: Final = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class Instants(NamedTuple):
    """``epoch_ms`` (rounded down), ``utc_offset_min`` of the writer's clock, and which rows were readable."""

    epoch_ms: NDArray[np.int64]
    utc_offset_min: NDArray[np.int16]
    ok: NDArray[np.bool_]


def parse_rfc3339(texts: pa.StringArray) -> Instants:
    """Read a column of RFC 3339 date-times with zone; rows that are null or not such a text have ``ok`` False."""
    upper = pc.utf8_upper(texts)
    ok = pc.fill_null(pc.match_substring_regex(upper, _RFC3339), False)
    safe = pc.if_else(ok, upper, "1970-01-01T00:00:00Z")
    length = pc.binary_length(safe).to_numpy(zero_copy_only=False)
    chars = _char_matrix(safe)
    days, day_ok = _days_since_epoch(chars)
    offset_min = _zone_minutes(chars, length)
    seconds = (days * 24 + _number(chars, 11, 2)) * 3600 + _number(chars, 14, 2) * 60 + _number(chars, 17, 2)
    epoch_ms = (seconds - offset_min * 60) * 1000 + _milliseconds(chars)
    in_range = (epoch_ms >= 0) & (epoch_ms <= MAX_EPOCH_MS)
    return Instants(epoch_ms, offset_min.astype(np.int16), ok.to_numpy(zero_copy_only=False) & day_ok & in_range)


def _char_matrix(texts: pa.StringArray) -> NDArray[np.int64]:
    """Digits as their values, other characters as whatever is left after subtracting ``ord("0")``."""
    padded = pc.ascii_rpad(texts, _LONGEST, " ")
    if len(padded) == 0:
        return np.empty((0, _LONGEST), np.int64)
    start = padded.offset * _LONGEST
    raw = np.frombuffer(padded.buffers()[2], np.uint8)[start : start + len(padded) * _LONGEST]
    return raw.reshape(-1, _LONGEST).astype(np.int64) - ord("0")


def _number(chars: NDArray[np.int64], start: int, n: int) -> NDArray[np.int64]:
    return chars[:, start : start + n] @ (10 ** np.arange(n - 1, -1, -1))


def _days_since_epoch(chars: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    year, month, day = _number(chars, 0, 4), _number(chars, 5, 2), _number(chars, 8, 2)
    leap_day = (month == 2) & (((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0))
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first + day - 1, day <= _DAYS_IN_MONTH[month - 1] + leap_day


def _milliseconds(chars: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.zeros(len(chars), np.int64)
    running = chars[:, 19] == ord(".") - ord("0")
    for place, weight in zip(range(20, 23), (100, 10, 1), strict=True):
        digit = chars[:, place]
        running &= (digit >= 0) & (digit <= 9)
        total += np.where(running, digit * weight, 0)
    return total


def _zone_minutes(chars: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    row = np.arange(len(chars))
    zulu = chars[row, length - 1] == ord("Z") - ord("0")
    at = length[:, None] - 6 + np.array([0, 1, 2, 4, 5])
    sign, h1, h2, m1, m2 = chars[row[:, None], at].T
    minutes = (h1 * 10 + h2) * 60 + m1 * 10 + m2
    return np.where(zulu, 0, np.where(sign == ord("-") - ord("0"), -minutes, minutes))


def read_instants(values: tuple[Any, ...]) -> tuple[Instants, NDArray[np.bool_]]:
    """Read decoded JSON values: texts as RFC 3339, numbers as whole epoch milliseconds; also which are neither.

    Missing values (None or "") are not ``ok`` and not of a wrong type.
    """
    kinds = set(map(type, values))
    if kinds <= {str, NoneType}:
        return parse_rfc3339(pa.array(map(_ascii_or_none, values), pa.string())), np.zeros(len(values), bool)
    is_text = np.fromiter((type(value) is str for value in values), bool, len(values))
    is_number = np.fromiter((type(value) in (int, float) for value in values), bool, len(values))
    missing = np.fromiter((value is None for value in values), bool, len(values))
    from_text = parse_rfc3339(
        pa.array([_ascii_or_none(v) if t else None for v, t in zip(values, is_text, strict=True)], pa.string())
    )
    epoch_ms = np.fromiter(
        (_epoch_ms(v) if number else -1 for v, number in zip(values, is_number, strict=True)), np.int64, len(values)
    )
    instants = Instants(
        np.where(is_number, epoch_ms, from_text.epoch_ms),
        np.where(is_number, np.int16(NO_OFFSET), from_text.utc_offset_min),
        np.where(is_number, epoch_ms >= 0, from_text.ok),
    )
    return instants, ~(is_text | is_number | missing)


def _ascii_or_none(text: str | None) -> str | None:
    return text if text is not None and text.isascii() else None


def _epoch_ms(number: float) -> int:
    return int(number) if 0 <= number <= MAX_EPOCH_MS and number == int(number) else -1
