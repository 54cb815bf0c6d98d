"""Decoded JSON values to float64, a column at a time."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DECIMAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE: Final = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


class Numbers(NamedTuple):
    """``value`` is NaN where missing, of the wrong type or not finite (or finite, but beyond float64)."""

    value: NDArray[np.float64]
    wrong_type: NDArray[np.bool_]
    not_finite: NDArray[np.bool_]


def read_numbers(values: tuple[Any, ...], *, texts_too: bool) -> Numbers:
    """Read numbers, and decimal numbers written as texts if ``texts_too``; a missing value is NaN and no fault."""
    if set(map(type, values)) <= {float, int, NoneType}:
        with suppress(OverflowError):
            return _finite(np.array(values, np.float64), np.zeros(len(values), bool))
    column = np.fromiter((_number(value, texts_too) for value in values), np.float64, len(values))
    return _finite(column, np.isnan(column) & ~missing(values))


def missing(values: tuple[Any, ...]) -> NDArray[np.bool_]:
    """Which values are absent: null, or an empty text."""
    if None in values or "" in values:
        return np.fromiter((value is None or value == "" for value in values), bool, len(values))
    return np.zeros(len(values), bool)


def _finite(column: NDArray[np.float64], wrong_type: NDArray[np.bool_]) -> Numbers:
    infinite = np.isinf(column)
    return Numbers(np.where(infinite, np.nan, column), wrong_type, infinite)


def _number(value: object, texts_too: bool) -> float:
    """The value as a float; infinite for what is a number but not finite (NaN included), NaN for what is no number."""
    if type(value) is float:
        return value
    if type(value) is int:
        with suppress(OverflowError):
            return float(value)
        return math.inf
    if texts_too and type(value) is str:
        if _DECIMAL.fullmatch(value):
            return float(value)
        return math.inf if _NOT_FINITE.fullmatch(value) else math.nan
    return math.nan
