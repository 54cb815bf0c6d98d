"""Payments as columns of numbers, from the moment they are thought up until they are written out."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.cities import CITIES

HONEST, CARD_TESTING, IMPOSSIBLE_TRAVEL, ACCOUNT_TAKEOVER = range(4)
SCHEMES = ("", "card_testing", "impossible_travel", "account_takeover")
NONE = -1

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

PAYMENT = np.dtype([
    ("time_ms", np.int64),    # event time
    ("record_ms", np.int64),  # when it reaches Kafka; the order of the stream
    ("serial", np.int64),     # becomes the transaction id
    ("user", np.int64),
    ("merchant", np.int64),
    ("place", np.int64),      # city of the terminal, or of the payer's Internet address
    ("clock", np.int64),      # city whose clock the timestamp shows
    ("usd", np.float64),
    ("card", np.int64),       # first or second card of the user
    ("device", np.int64),     # NONE: no device known
    ("ip", np.int64),         # NONE: not over the Internet
    ("channel", np.int64),
    ("payee", np.int64),      # NONE: not a transfer; else a number that names a person
    ("absent", np.int64),     # 0, or 1 + the optional field that is left out
    ("scheme", np.int64),
    ("dirt", np.int64),
])

Payments = NDArray[Any]  # of dtype PAYMENT


def payments(n: int, **columns: object) -> Payments:
    """So many payments; columns not named are 0, or NONE where nothing is the rule."""
    rows = np.zeros(n, PAYMENT)
    for name in ("device", "ip", "payee"):
        rows[name] = NONE
    for name, values in columns.items():
        rows[name] = values
    rows["record_ms"] = rows["time_ms"]
    return rows


def ip_address(place: object, host: object) -> Any:
    """An address of the private 10/8 net: the city, then the host in it."""
    return (10 << 24) | (np.asarray(place) << 16) | (np.asarray(host) & 0xFFFF)


def local_hour(time_ms: object, city: NDArray[np.int64]) -> NDArray[np.float64]:
    """The time of day there, 0 to 24."""
    return (np.asarray(time_ms) / HOUR_MS + CITIES.utc_offset_min[city] / 60) % 24


def in_order(batches: Iterable[tuple[int, Payments]], by: str) -> Iterator[tuple[int, Payments]]:
    """Sort a stream of (end, rows): rows at or after the end of their batch wait for a later one, the last are yielded.

    Rows with equal times keep the order they came in.
    """
    waiting = payments(0)
    end = 0
    for end, rows in batches:
        known = np.concatenate([waiting, rows])
        known = known[np.argsort(known[by], kind="stable")]
        cut = np.searchsorted(known[by], end)
        yield end, known[:cut]
        waiting = known[cut:]
    if len(waiting):
        yield end, waiting
