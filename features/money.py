"""Money: ISO 4217 currencies in whole minor units, and a dated table of rates to the base currency."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import RateTableError

DAY_MS: Final = 86_400_000

# ISO 4217: digits after the point, for every currency in circulation.
_DIGITS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
    "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
    "ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENT: Final = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}


class Money(NamedTuple):
    """Amounts of one batch; rows outside ``known`` or ``rated`` hold zeros."""

    minor: NDArray[np.int64]
    base_minor: NDArray[np.int64]
    exponent: NDArray[np.int64]
    known: NDArray[np.bool_]
    rated: NDArray[np.bool_]


@dataclass(frozen=True)
class RateTable:
    """Units of base currency for one unit of a currency, from a day on until the next row of that currency.

    A payment older than the first row of its currency takes that first row.
    """

    base_currency: str
    rates: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(repr=False)
    version: str

    @classmethod
    def load(cls, path: Path, base_currency: str) -> RateTable:
        """Read ``date,currency,rate`` rows; raises RateTableError naming the line that is wrong."""
        if base_currency not in EXPONENT:
            raise RateTableError(f"base currency {base_currency!r} is not an ISO 4217 code", "use a code such as USD")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RateTableError(f"cannot read the rate table {path}: {error}", "set contract.rates_file") from error
        by_code = _rates_by_code(text, path)
        if set(by_code.get(base_currency, {}).values()) - {1.0}:
            raise RateTableError(f"the rates in {path} are not to {base_currency}", "set contract.base_currency")
        columns = {code: _columns(rates) for code, rates in {**by_code, base_currency: {0: 1.0}}.items()}
        return cls(base_currency, columns, hashlib.sha256(f"{base_currency}\n{text}".encode()).hexdigest()[:12])

    @property
    def base_unit(self) -> int:
        """Minor units in one unit of the base currency."""
        return int(10 ** EXPONENT[self.base_currency])

    def convert(self, amount: NDArray[np.float64], currency: pa.StringArray, event_ms: NDArray[np.int64]) -> Money:
        """Amounts to the nearest minor unit of their own currency, and then of the base currency at the day's rate."""
        coded = currency.dictionary_encode()
        index = coded.indices.to_numpy(zero_copy_only=False)
        exponent, rate = np.full(len(amount), -1, np.int64), np.zeros(len(amount))
        for number, code in enumerate(coded.dictionary.to_pylist()):
            if code in EXPONENT:
                rows = np.flatnonzero(index == number)
                exponent[rows], rate[rows] = EXPONENT[code], self._rate(code, event_ms[rows])
        known, exponent = exponent >= 0, np.maximum(exponent, 0)
        minor = np.rint(np.where(known, amount, 0.0) * 10.0**exponent)
        base = np.rint(minor * rate * (self.base_unit / 10.0**exponent))
        return Money(_whole(minor), _whole(base), exponent, known, rate > 0)

    def _rate(self, code: str, event_ms: NDArray[np.int64]) -> NDArray[np.float64] | float:
        if code not in self.rates:
            return 0.0
        days, rates = self.rates[code]
        return rates[np.maximum(np.searchsorted(days, event_ms // DAY_MS, "right") - 1, 0)]


def _whole(minor: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum(minor, 2.0**62).astype(np.int64)  # what is larger is refused anyway, but must not wrap around


def _rates_by_code(text: str, path: Path) -> dict[str, dict[int, float]]:
    """The rate of each currency by the day, counted from the epoch, that it holds from."""
    by_code: dict[str, dict[int, float]] = defaultdict(dict)
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    for number, row in enumerate(rows, 1):
        code, day, rate = _rate_row(row, f"{path}, row {number}")
        if by_code[code].setdefault(day, rate) != rate:
            raise RateTableError(f"{path}, row {number}: a second rate for {code} on one day", "keep one of them")
    return by_code


def _columns(rates: dict[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    days = sorted(rates)
    return np.array(days, np.int64), np.array([rates[day] for day in days])


def _rate_row(row: dict[str, str], where: str) -> tuple[str, int, float]:
    try:
        code, rate = row["currency"], float(row["rate"])
        day = int(datetime.strptime(row["date"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) // 86_400
    except (KeyError, TypeError, ValueError) as error:
        raise RateTableError(f"{where}: {row} is not date,currency,rate", "write e.g. 2026-01-01,EUR,1.08") from error
    if code not in EXPONENT or not 0 < rate < 1e9:
        raise RateTableError(f"{where}: currency {code!r} at rate {rate}", "use ISO 4217 codes and a rate above 0")
    return code, day, rate
