"""Decoded JSON values as numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.numbers import missing, read_numbers

JSON_NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(), st.integers(2**1023, 2**1025))


def read(value: Any, *, texts_too: bool = True) -> float | str:
    """The number, or what is wrong with it."""
    column, wrong_type, not_finite = read_numbers((value,), texts_too=texts_too)
    assert math.isnan(column[0]) or not (wrong_type[0] or not_finite[0])
    return "wrong_type" if wrong_type[0] else "not_finite" if not_finite[0] else float(column[0])


@pytest.mark.parametrize(("value", "number"), [
    (0, 0.0), (12, 12.0), (-3, -3.0), (0.1, 0.1), (2**53 + 1, float(2**53)), (10**300, 1e300),
    ("12", 12.0), ("12.50", 12.5), ("-3", -3.0), ("+3", 3.0), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-2", 0.01),
    ("007", 7.0),
])
def test_numbers_and_decimal_texts_are_read(value: float | str, number: float) -> None:
    assert read(value) == number


@pytest.mark.parametrize("value", [
    math.inf, -math.inf, 10**400, -(10**400), "inf", "-Infinity", "NaN", "nan", "1e400", "-1e400", "9" * 400,
])
def test_what_has_no_float64_is_not_finite(value: float | str) -> None:
    assert read(value) == "not_finite"


@pytest.mark.parametrize("value", [
    True, False, [], {}, [1], "ten", "1,5", "1 000", " 1", "1 ", "1\n", "1_000", "0x10", "1e", "e3", ".", "-", "--1",
    "$5", "１２", "١٢", "½", "ınf",
])
def test_what_is_no_number_is_of_the_wrong_type(value: Any) -> None:
    assert read(value) == "wrong_type"


@pytest.mark.parametrize("text", ["12", "inf", "ten"])
def test_texts_count_only_where_they_are_allowed(text: str) -> None:
    assert read(text, texts_too=False) == "wrong_type"


@pytest.mark.parametrize("value", [None, ""])
def test_missing_stays_missing_and_is_no_fault(value: str | None) -> None:
    column, wrong_type, not_finite = read_numbers((value, 5, "6"), texts_too=True)
    np.testing.assert_array_equal(column, [math.nan, 5, 6])
    assert not wrong_type.any()
    assert not not_finite.any()
    assert missing((value, 5, 0, False, [], {})).tolist() == [True, False, False, False, False, False]


@settings(max_examples=200, deadline=None)
@given(values=st.lists(JSON_NUMBERS), neighbour=st.sampled_from(["12", "ten", True, [], 10**400]))
def test_a_number_is_read_alike_beside_any_neighbour(values: list[Any], neighbour: Any) -> None:
    alone = read_numbers(tuple(values), texts_too=True)
    beside = read_numbers((neighbour, *values), texts_too=True)
    for column, same in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(column, same[1:])
