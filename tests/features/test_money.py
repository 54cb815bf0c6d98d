"""Minor units and dated rates."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import RateTableError
from features.money import _DIGITS, EXPONENT, Money, RateTable

DAY_MS = 86_400_000
JAN_1_MS = 1_767_225_600_000  # 2026-01-01
HEADER = "date,currency,rate\n"
ROWS = "2026-01-01,EUR,1.10\n2026-01-03,EUR,1.20\n2026-01-01,JPY,0.0065\n2026-01-01,KWD,3.25\n2026-01-01,CLF,40\n"


def table(tmp_path: Path, rows: str = ROWS, base: str = "USD", header: str = HEADER) -> RateTable:
    (tmp_path / "rates.csv").write_text(header + rows, encoding="utf-8")
    return RateTable.load(tmp_path / "rates.csv", base)


@pytest.fixture
def rates(tmp_path: Path) -> RateTable:
    return table(tmp_path)


def convert(rates: RateTable, amount: float, currency: str, event_ms: int = JAN_1_MS) -> Money:
    money = rates.convert(np.array([amount]), pa.array([currency]), np.array([event_ms]))
    return Money(*(column[0] for column in money))


@pytest.mark.parametrize(("currency", "digits"), [
    ("JPY", 0), ("KRW", 0), ("USD", 2), ("EUR", 2), ("MGA", 2), ("KWD", 3), ("TND", 3), ("CLF", 4),
])
def test_currencies_have_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert EXPONENT[currency] == digits


def test_every_currency_is_listed_once_and_spelled_in_three_capitals() -> None:
    listed = " ".join(_DIGITS.values()).split()
    assert len(listed) == len(EXPONENT) > 150
    assert [code for code in listed if not (len(code) == 3 and code.isascii() and code.isupper())] == []


@pytest.mark.parametrize(("amount", "currency", "minor", "cents"), [
    (10.0, "USD", 1_000, 1_000),
    (0.1, "USD", 10, 10),
    (10.0, "EUR", 1_000, 1_100),
    (1_000.0, "JPY", 1_000, 650),
    (10.0, "KWD", 10_000, 3_250),
    (1.2345, "CLF", 12_345, 4_938),
    (0.0, "KWD", 0, 0),
])
def test_an_amount_is_whole_minor_units_of_its_own_currency_and_of_the_base(
    rates: RateTable, amount: float, currency: str, minor: int, cents: int
) -> None:
    money = convert(rates, amount, currency)
    assert (money.minor, money.base_minor, money.exponent) == (minor, cents, EXPONENT[currency])
    assert money.known
    assert money.rated


@pytest.mark.parametrize(("amount", "currency", "minor"), [
    (0.004, "USD", 0), (0.006, "USD", 1), (1.999, "USD", 200), (0.4, "JPY", 0), (99.6, "JPY", 100), (0.0006, "KWD", 1),
])
def test_more_digits_than_the_currency_has_are_rounded_to_the_nearest(
    rates: RateTable, amount: float, currency: str, minor: int
) -> None:
    assert convert(rates, amount, currency).minor == minor


@settings(max_examples=200, deadline=None)
@given(cents=st.integers(0, 2**45 - 1))
def test_every_amount_written_with_its_digits_keeps_each_minor_unit(cents: int) -> None:
    rates = RateTable("USD", {"USD": (np.array([0]), np.array([1.0]))}, "test")
    written = float(Decimal(cents) / 100)
    assert (convert(rates, written, "USD").minor, convert(rates, written, "USD").base_minor) == (cents, cents)


@pytest.mark.parametrize(("day", "rate"), [(-400, 110), (0, 110), (1, 110), (2, 120), (3, 120), (4000, 120)])
def test_a_rate_holds_from_its_day_until_the_next_one_and_the_first_also_before(
    rates: RateTable, day: int, rate: int
) -> None:
    assert convert(rates, 1.0, "EUR", JAN_1_MS + day * DAY_MS).base_minor == rate


def test_a_day_begins_at_midnight_utc(rates: RateTable) -> None:
    assert convert(rates, 1.0, "EUR", JAN_1_MS + 2 * DAY_MS - 1).base_minor == 110
    assert convert(rates, 1.0, "EUR", JAN_1_MS + 2 * DAY_MS).base_minor == 120


def test_a_currency_may_be_unknown_or_merely_without_a_rate(rates: RateTable) -> None:
    unknown, unrated = convert(rates, 5.0, "XXX"), convert(rates, 5.0, "CHF")
    assert (unknown.known, unknown.minor, unknown.base_minor) == (False, 0, 0)
    assert (unrated.known, unrated.rated, unrated.minor, unrated.base_minor) == (True, False, 500, 0)


@pytest.mark.parametrize("code", ["usd", "US", "", " USD"])
def test_a_code_is_exact(rates: RateTable, code: str) -> None:
    assert not convert(rates, 5.0, code).known


def test_another_base_currency_has_minor_units_of_its_own(tmp_path: Path) -> None:
    rates = table(tmp_path, "2026-01-01,USD,150\n", base="JPY")
    assert (convert(rates, 2.5, "USD").base_minor, rates.base_unit) == (375, 1)
    assert convert(rates, 375.0, "JPY").base_minor == 375


def test_an_amount_beyond_64_bits_does_not_wrap_around(tmp_path: Path) -> None:
    rates = table(tmp_path, "2026-01-01,JPY,999999999\n", base="KWD")
    assert convert(rates, 2.0**45 - 1, "JPY").base_minor >= 2**45


@settings(max_examples=100, deadline=None)
@given(cents=st.integers(0, 10**9), rate=st.decimals("0.0001", "100", places=4))
def test_the_base_amount_is_the_rounded_product(cents: int, rate: Decimal) -> None:
    rates = RateTable("USD", {"EUR": (np.array([0]), np.array([float(rate)]))}, "test")
    exact = cents * rate
    if abs(exact % 1 - Decimal("0.5")) > Decimal("0.001"):
        wanted = int(exact.to_integral_value(ROUND_HALF_EVEN))
        assert convert(rates, cents / 100, "EUR").base_minor == wanted


@pytest.mark.parametrize(("rows", "said"), [
    ("2026-01-01,EUR\n", "row 1"),
    ("2026-01-01,EUR,1.1\n2026-13-01,EUR,1.1\n", "row 2"),
    ("# a note\n2026-01-01,EUR,1.1\n2026-01-02,EUR,much\n", "row 2"),
    ("2026-01-01,EUR,0\n", "rate 0"),
    ("2026-01-01,EUR,-1\n", "rate -1"),
    ("2026-01-01,EUR,nan\n", "rate nan"),
    ("2026-01-01,EUR,inf\n", "rate inf"),
    ("2026-01-01,XXX,1.1\n", "'XXX'"),
    ("2026-01-01,EUR,1.1\n2026-01-01,EUR,1.2\n", "row 2: a second rate for EUR"),
    ("2026-01-01,USD,1.1\n", "not to USD"),
])
def test_a_table_with_a_wrong_row_is_refused_and_the_row_named(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(RateTableError, match=said) as refused:
        table(tmp_path, rows)
    assert refused.value.fix


def test_a_table_without_its_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RateTableError, match="row 1"):
        table(tmp_path, header="")


def test_a_table_of_rates_to_another_currency_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RateTableError, match="not to EUR"):
        table(tmp_path, base="EUR")


def test_a_base_currency_must_exist(tmp_path: Path) -> None:
    with pytest.raises(RateTableError, match="'DOLLAR'"):
        table(tmp_path, base="DOLLAR")


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RateTableError, match=r"nowhere\.csv"):
        RateTable.load(tmp_path / "nowhere.csv", "USD")
    (tmp_path / "latin.csv").write_bytes(b"date,currency,rate\n# \xe9\n")
    with pytest.raises(RateTableError, match=r"latin\.csv"):
        RateTable.load(tmp_path / "latin.csv", "USD")


def test_the_version_changes_with_the_rates_and_with_the_base(tmp_path: Path) -> None:
    first, again = table(tmp_path), table(tmp_path)
    other, base = table(tmp_path, ROWS.replace("1.10", "1.11")), table(tmp_path, "2026-01-01,KWD,3.25\n", "EUR")
    assert first.version == again.version
    assert len({first.version, other.version, base.version}) == 3
