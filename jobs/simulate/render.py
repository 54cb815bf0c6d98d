"""Numbers to messages: payments written as the raw contract has them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.transaction import FIELDS
from jobs.simulate.categories import ATM, CHANNELS, ECOM, MCC
from jobs.simulate.cities import CITIES
from jobs.simulate.dirt import DIRT_NAMES, MALFORMED
from jobs.simulate.payment import HONEST, MINUTE_MS, NONE, SCHEMES, Payments
from jobs.simulate.people import full_names
from jobs.simulate.world import World

Texts = NDArray[np.object_]

# What `absent` counts; coordinates are left out together.
OPTIONAL = ("currency", "card_id", "merchant_name", "merchant_category", "city", "country", "latitude", "device_id",
            "ip", "channel")
LABELS = pa.schema({"transaction_id": pa.string(), "user_id": pa.string(), "scheme": pa.string(),
                    "is_fraud": pa.bool_(), "dirt": pa.string()})

MESSAGE_FIELDS = ("transaction_id", *(name for name in FIELDS if name != "transaction_id"))
_Message = msgspec.defstruct("_Message", [(name, Any, None) for name in MESSAGE_FIELDS], omit_defaults=True)
_encode = msgspec.json.Encoder().encode


class Messages(NamedTuple):
    """Raw messages in the order they are sent, and what is known about each."""

    key: list[bytes]
    value: list[bytes]
    record_ms: NDArray[np.int64]
    labels: pa.RecordBatch   # schema LABELS; scheme and dirt are null where there is none


def rendered(world: World, rows: Payments) -> Messages:
    columns = _columns(world, rows)
    _leave_out(columns, rows["absent"])
    lists = [columns[name].tolist() for name in MESSAGE_FIELDS]
    values = [_encode(message) for message in map(_Message, *lists)]
    for position in np.flatnonzero(rows["dirt"] == MALFORMED).tolist():
        values[position] = _malformed(values[position], int(rows["serial"][position]))
    keys = [user.encode() for user in columns["user_id"]]
    return Messages(keys, values, rows["record_ms"], _labels(columns, rows))


def _columns(world: World, rows: Payments) -> dict[str, Texts]:
    merchants, merchant, place = world.merchants, rows["merchant"], rows["place"]
    online = rows["channel"] == ECOM
    paid_in = np.where(online, world.home[rows["user"]], place)
    return {
        "transaction_id": _named(f"{world.seed:x}-{{:x}}", rows["serial"]),
        "user_id": _named("u{}", rows["user"]),
        "amount": _amounts(rows, paid_in).astype(object),
        "currency": CITIES.currency[paid_in],
        "timestamp": _timestamps(rows["time_ms"], CITIES.utc_offset_min[rows["clock"]]),
        "card_id": _named("c{}", rows["user"] * 2 + rows["card"]),
        "merchant_id": _named("m{}", merchant),
        "merchant_name": merchants.name[merchant],
        "merchant_category": MCC[merchants.category(merchant)],
        "city": CITIES.name[place],
        "country": CITIES.country[place],
        "latitude": np.where(online, CITIES.latitude[place], merchants.latitude[merchant]).astype(object),
        "longitude": np.where(online, CITIES.longitude[place], merchants.longitude[merchant]).astype(object),
        "device_id": _named("d{:x}", rows["device"]),
        "ip": _mapped(_address, rows["ip"]),
        "channel": CHANNELS[rows["channel"]],
        "counterparty_name": full_names(rows["payee"]),
        "counterparty_country": _or_none(CITIES.country[rows["payee"] % len(CITIES)], rows["payee"]),
    }


def _amounts(rows: Payments, paid_in: NDArray[np.int64]) -> NDArray[np.float64]:
    """In units of the currency, with the digits it has; cash in whole notes."""
    units = rows["usd"] * CITIES.units_per_usd[paid_in]
    note = 10.0 ** np.floor(np.log10(20 * CITIES.units_per_usd[paid_in]))
    digits = 10.0 ** CITIES.minor_digits[paid_in]
    exact = np.maximum(np.rint(units * digits), 1) / digits
    return np.where(rows["channel"] == ATM, np.maximum(np.rint(units / note), 1) * note, exact)


def _timestamps(time_ms: NDArray[np.int64], offset_min: NDArray[np.int64]) -> Texts:
    """RFC 3339 with the offset of the payer's clock."""
    local = (time_ms + offset_min * MINUTE_MS).astype("datetime64[ms]")
    texts = np.datetime_as_string(local).tolist()
    zones = {offset: f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
             for offset in np.unique(offset_min).tolist()}
    return np.array([text + zones[offset] for text, offset in zip(texts, offset_min.tolist(), strict=True)], object)


def _named(template: str, numbers: NDArray[np.int64]) -> Texts:
    return _mapped(template.format, numbers)


def _mapped(text_of: Callable[[int], str], numbers: NDArray[np.int64]) -> Texts:
    """The text of each number, None for NONE."""
    texts = np.empty(len(numbers), object)
    texts[:] = [None if number == NONE else text_of(number) for number in numbers.tolist()]
    return texts


def _or_none(texts: Texts, numbers: NDArray[np.int64]) -> Texts:
    return np.where(numbers == NONE, None, texts)


def _address(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _leave_out(columns: dict[str, Texts], absent: NDArray[np.int64]) -> None:
    """A currency is left out only where the default, USD, is meant."""
    for number, name in enumerate(OPTIONAL, 1):
        gone = absent == number
        if name == "currency":
            gone &= columns["currency"] == "USD"
        columns[name][gone] = None
        if name == "latitude":
            columns["longitude"][gone] = None


def _malformed(value: bytes, choice: int) -> bytes:
    """One of the ways in which a message can break the contract."""
    message = msgspec.json.decode(value)
    broken: list[bytes] = [
        value[: len(value) // 2],
        b"[" + value + b"]",
        _encode({key: content for key, content in message.items() if key != "amount"}),
        _encode(message | {"amount": -message["amount"]}),
        _encode(message | {"amount": "a lot"}),
        _encode(message | {"currency": "XXQ"}),
        _encode(message | {"latitude": 99.5}),
        _encode(message | {"timestamp": "yesterday"}),
        _encode(message | {"user_id": 17}),
    ]
    return broken[choice % len(broken)]


def _labels(columns: dict[str, Texts], rows: Payments) -> pa.RecordBatch:
    scheme = np.array(SCHEMES, object)[rows["scheme"]]
    dirt = np.array(DIRT_NAMES, object)[rows["dirt"]]
    is_fraud = rows["scheme"] != HONEST
    return pa.RecordBatch.from_arrays(
        [pa.array(columns["transaction_id"]), pa.array(columns["user_id"]),
         pa.array(scheme, mask=~is_fraud), pa.array(is_fraud), pa.array(dirt, mask=rows["dirt"] == 0)], schema=LABELS)
