"""The contract, case by case: each record differs in one thing from a good one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features import event
from features.errors import RateTableError
from features.money import RateTable
from features.parse import DEAD, EVENTS, Contract, parse
from features.transaction import IDS, REQUIRED, TEXTS
from tests.features.builders import CONTRACT, NOON_MS, RATES, encode, parsed, raw_batch, reasons_for, txn

SECOND_MS = 1_000
LARGEST = (2**45 - 1) / 100  # USD
MIDNIGHT_2024_MS = 1_704_067_200_000
OPTIONAL_TEXTS = [name for name in TEXTS if name != "transaction_id"]
LIMITS = {name: 128 if name in IDS else 256 for name in ("user_id", *TEXTS) if name != "currency"}


def reasons(**changes: Any) -> list[str]:
    return reasons_for(*encode(txn(**changes)))


def head_of(contract: Contract = CONTRACT, **changes: Any) -> np.void:
    """The packed numbers of a record that must be good."""
    result = parsed(*encode(txn(**changes)), contract=contract)
    assert result.dead.column("reasons").to_pylist() == []
    return event.unpack_heads(result.events.column("event"))[0]


def texts_of(**changes: Any) -> dict[str, str | None]:
    packed = parsed(*encode(txn(**changes))).events.column("event")
    return {name: column[0].as_py() for name, column in event.unpack_texts(packed).items()}


def test_the_plain_record_is_an_event() -> None:
    result = parsed(*encode(txn()))
    assert (result.events.num_rows, result.dead.num_rows) == (1, 0)
    assert (result.events.schema, result.dead.schema) == (EVENTS, DEAD)


@pytest.mark.parametrize(("value", "reason"), [
    (None, "not_json"),
    (b"", "not_json"),
    (b" ", "not_json"),
    (b"hello", "not_json"),
    (b'{"user_id": "u1"', "not_json"),
    (b'{"user_id": "u1"} {}', "not_json"),
    (b"{'user_id': 'u1'}", "not_json"),
    (b'{"amount": NaN}', "not_json"),
    (b'{"amount": 01}', "not_json"),
    (b'{"user_id": "\xff"}', "not_json"),
    (b'{"user_id": "\\ud800"}', "not_json"),
    (b"\xef\xbb\xbf{}", "not_json"),
    (b'{"x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "not_json"),
    (b'{"amount": ' + b"1" * 5_000 + b"}", "not_json"),
    (b"[]", "not_an_object"),
    (b"[1e400]", "not_an_object"),
    (b'"text"', "not_an_object"),
    (b"5", "not_an_object"),
    (b"1e400", "not_an_object"),
    (b"null", "not_an_object"),
    (b"true", "not_an_object"),
])
def test_what_is_no_json_object_has_one_reason_and_no_other(value: bytes | None, reason: str) -> None:
    assert reasons_for(value) == [reason]


@pytest.mark.parametrize("field", ["transaction_id", "user_id", "amount", "timestamp"])
@pytest.mark.parametrize("absent", ["left out", "null", "empty"])
def test_a_required_field_may_not_be_absent(field: str, absent: str) -> None:
    record = txn(**{field: None if absent == "left out" else ""})
    if absent == "null":
        record[field] = None
    assert reasons_for(*encode(record)) == [f"missing_field:{field}"]


@pytest.mark.parametrize("field", ["user_id", *TEXTS])
@pytest.mark.parametrize("value", [5, 0, 1.5, True, False, [], {}, ["text"], 2**70])
def test_a_text_field_takes_texts_only(field: str, value: Any) -> None:
    assert reasons(**{field: value}) == [f"wrong_type:{field}"]


@pytest.mark.parametrize(("field", "value"), [
    ("amount", True), ("amount", []), ("amount", {}), ("amount", "ten"), ("amount", "1,50"), ("amount", " 1"),
    ("timestamp", True), ("timestamp", []), ("timestamp", {}),
    ("latitude", True), ("latitude", "1.5"), ("latitude", []), ("longitude", False), ("longitude", "1.5"),
])
def test_a_number_or_time_of_another_type_is_a_fault(field: str, value: Any) -> None:
    assert reasons(**{field: value}) == [f"wrong_type:{field}"]


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
@pytest.mark.parametrize("letter", ["a", "é", "漢", "😀"])
def test_a_text_may_have_so_many_characters_and_not_one_more(field: str, limit: int, letter: str) -> None:
    assert reasons(**{field: letter * limit}) == []
    assert reasons(**{field: letter * (limit + 1)}) == [f"too_long:{field}"]


def test_a_record_may_have_so_many_bytes_and_not_one_more() -> None:
    empty = len(*encode(txn(note="")))
    fits, too_large = encode(txn(note="x" * (65_536 - empty)), txn(note="x" * (65_537 - empty)))
    assert (reasons_for(fits), reasons_for(too_large)) == ([], ["too_large"])
    assert reasons_for(b"?" * 65_537) == ["too_large"]


@pytest.mark.parametrize(("amount", "reason"), [
    (-0.01, "amount_negative"),
    (-5, "amount_negative"),
    ("-5", "amount_negative"),
    (-0.0001, "amount_negative"),
    ("NaN", "amount_not_finite"),
    ("-inf", "amount_not_finite"),
    ("1e400", "amount_not_finite"),
    (10**400, "amount_not_finite"),
    (LARGEST + 0.01, "amount_out_of_range"),
    (1e300, "amount_out_of_range"),
    (10**300, "amount_out_of_range"),
    ("1e300", "amount_out_of_range"),
])
def test_an_amount_must_be_a_number_that_can_be_counted_exactly(amount: float | str, reason: str) -> None:
    assert reasons(amount=amount) == [reason]


def test_a_number_beyond_float64_is_a_fault_of_its_field_not_of_the_record() -> None:
    def with_amount(text: bytes) -> bytes:
        return encode(txn(amount=5))[0].replace(b":5", b":" + text)

    assert reasons_for(with_amount(b"1e400")) == ["amount_not_finite"]
    assert reasons_for(with_amount(b"5")[:-1] + b',"longitude":-1e999}') == ["coordinate_out_of_range:longitude"]
    assert reasons_for(with_amount(b"5")[:-1] + b',"note":1e999}') == []
    assert reasons_for(with_amount(b"1e400")[:-1]) == ["not_json"]


@pytest.mark.parametrize(("amount", "minor"), [
    (0, 0), (-0.0, 0), (0.01, 1), (10, 1_000), (19.99, 1_999), ("19.99", 1_999), ("1e2", 10_000), (LARGEST, 2**45 - 1),
])
def test_an_amount_may_be_a_number_or_a_text_from_nothing_to_the_largest(amount: float | str, minor: int) -> None:
    assert head_of(amount=amount)["amount_minor"] == minor


@pytest.mark.parametrize(("currency", "amount", "minor", "exponent", "cents"), [
    ("JPY", 1000, 1_000, 0, 670),
    ("KWD", 10, 10_000, 3, 3_250),
    ("CLF", 1.5, 15_000, 4, 6_000),
    ("USD", 10, 1_000, 2, 1_000),
])
def test_an_amount_is_held_in_the_minor_units_of_its_currency(
    currency: str, amount: float, minor: int, exponent: int, cents: int
) -> None:
    contract = replace(CONTRACT, rates=RateTable("USD", RATES.rates | {"CLF": (np.array([0]), np.array([40.0]))}, "t"))
    head = head_of(contract, currency=currency, amount=amount)
    assert (head["amount_minor"], head["exponent"], head["amount_base_minor"]) == (minor, exponent, cents)


def test_an_amount_may_be_too_large_in_its_own_currency_or_in_the_base_alone() -> None:
    assert reasons(currency="JPY", amount=2**45 - 1) == []  # 0.67 cents each
    assert reasons(currency="JPY", amount=2**45) == ["amount_out_of_range"]
    kwd = (2**45 - 1) / 1000  # 325 cents each
    assert reasons(currency="KWD", amount=kwd / 3.26 * 10) == ["amount_out_of_range"]
    assert reasons(currency="KWD", amount=kwd / 3.26) == []


@pytest.mark.parametrize(("at_ms", "cents"), [(MIDNIGHT_2024_MS - 1, 1_180), (MIDNIGHT_2024_MS, 1_090)])
def test_the_rate_is_that_of_the_day_of_the_payment(at_ms: int, cents: int) -> None:
    record = encode(txn(currency="EUR", amount=10, timestamp=at_ms))
    head = event.unpack_heads(parsed(*record, record_ms=MIDNIGHT_2024_MS).events.column("event"))[0]
    assert head["amount_base_minor"] == cents


@pytest.mark.parametrize(("currency", "reason"), [
    ("XXX", "unknown_currency"), ("usd", "unknown_currency"), ("$", "unknown_currency"), ("BHD", "no_rate"),
])
def test_a_currency_must_be_known_and_have_a_rate(currency: str, reason: str) -> None:
    assert reasons(currency=currency) == [reason]


@pytest.mark.parametrize("currency", [None, ""])
def test_a_record_without_currency_is_in_the_default_one(currency: str | None) -> None:
    contract = replace(CONTRACT, default_currency="JPY")
    head = head_of(contract, currency=currency, amount=1000)
    assert (head["amount_minor"], head["exponent"]) == (1_000, 0)


def test_a_default_currency_without_a_rate_is_refused_before_any_record() -> None:
    with pytest.raises(RateTableError, match="'BHD' has no rate to USD"):
        replace(CONTRACT, default_currency="BHD")


@pytest.mark.parametrize(("field", "limit"), [("latitude", 90), ("longitude", 180)])
def test_a_coordinate_may_reach_its_limit_and_no_further(field: str, limit: int) -> None:
    for edge in (-limit, limit, 0, None):
        assert reasons(**{field: edge}) == []
    for beyond in (-limit, limit):
        assert reasons(**{field: float(np.nextafter(beyond, 2 * beyond))}) == [f"coordinate_out_of_range:{field}"]
    assert reasons(**{field: 10**400}) == [f"coordinate_out_of_range:{field}"]


@pytest.mark.parametrize("timestamp", [
    "yesterday", "2026-01-02", "2026-01-02T12:00:00", "2026-02-30T12:00:00Z", " ", -1, 0.5, 1e300, 253_402_300_800_000,
    "1969-12-31T23:59:59Z",
])
def test_a_timestamp_must_be_an_instant(timestamp: float | str) -> None:
    assert reasons(timestamp=timestamp) == ["bad_timestamp"]


@pytest.mark.parametrize(("away_ms", "wanted"), [
    (-3_600 * SECOND_MS - 1, ["too_late"]),
    (-3_600 * SECOND_MS, []),
    (0, []),
    (300 * SECOND_MS, []),
    (300 * SECOND_MS + 1, ["in_the_future"]),
])
def test_late_and_future_are_judged_to_the_millisecond_against_the_time_of_the_record(
    away_ms: int, wanted: list[str]
) -> None:
    assert reasons(timestamp=NOON_MS + away_ms) == wanted


def test_late_and_future_do_not_depend_on_the_clock_the_time_was_written_by() -> None:
    assert reasons(timestamp="2026-01-02T23:29:59+12:30") == ["too_late"]
    assert reasons(timestamp="2026-01-02T23:29:59+11:30") == []


def test_every_fault_of_a_record_is_told_at_once() -> None:
    found = reasons(
        transaction_id=None, user_id="u" * 129, amount=-1e300, currency="XXX", timestamp="2027-01-01T00:00:00Z",
        latitude=91, longitude="east", city=7, channel="c" * 257,
    )
    assert set(found) == {
        "missing_field:transaction_id", "too_long:user_id", "amount_negative", "amount_out_of_range",
        "unknown_currency", "in_the_future", "coordinate_out_of_range:latitude", "wrong_type:longitude",
        "wrong_type:city", "too_long:channel",
    }
    assert len(found) == len(set(found))


def test_an_empty_object_misses_every_required_field() -> None:
    assert set(reasons_for(b"{}")) == {f"missing_field:{field}" for field in REQUIRED}


@pytest.mark.parametrize("name", OPTIONAL_TEXTS)
@pytest.mark.parametrize("absent", [None, ""])
def test_a_missing_text_stays_missing(name: str, absent: str | None) -> None:
    wanted = "USD" if name == "currency" else None
    assert texts_of(**{name: absent})[name] == wanted


@pytest.mark.parametrize("name", ["latitude", "longitude"])
def test_a_missing_coordinate_is_not_zero(name: str) -> None:
    assert np.isnan(head_of()[name])
    assert head_of(**{name: 0})[name] == 0


def test_texts_are_kept_as_they_were_sent() -> None:
    sent = {name: f" {name}\u0000\n漢😀 " for name in TEXTS if name != "currency"}
    assert texts_of(**sent, currency="EUR") == sent | {"currency": "EUR"}


def test_unknown_fields_are_passed_over_and_of_a_field_sent_twice_the_last_counts() -> None:
    assert reasons(extra={"deep": [1, None]}) == []
    record = encode(txn())[0]
    assert reasons_for(record[:-1] + b',"amount":-1}') == ["amount_negative"]
    assert reasons_for(b'{"amount":-1,' + record[1:]) == []


def test_an_event_carries_its_user_its_minute_its_time_and_its_place_in_kafka() -> None:
    result = parsed(b"{}", *encode(txn(user_id="someone", timestamp="2026-01-02T13:00:00.5+01:00")))
    head = event.unpack_heads(result.events.column("event"))[0]
    assert result.events.column("user_id").to_pylist() == ["someone"]
    assert result.events.column("event_time")[0].value == NOON_MS * 1000
    assert (head["event_ms"], head["utc_offset_min"], head["ingest_ms"]) == (NOON_MS + 500, 60, NOON_MS)
    assert event.coordinates(np.array([head["arrival"]])) == (0, 1)


def test_a_dead_letter_carries_the_bytes_as_they_came_and_its_place_in_kafka() -> None:
    payloads = [encode(txn())[0], b"\x00\xff", None, b"x" * 70_000]
    dead = parsed(*payloads).dead
    assert dead.column("value").to_pylist() == payloads[1:]
    assert dead.column("offset").to_pylist() == [1, 2, 3]
    assert set(dead.column("partition").to_pylist()) == {0}
    assert set(dead.column("ingest_ms").to_pylist()) == {NOON_MS}
    assert set(dead.column("topic").to_pylist()) == {"raw"}


def test_no_records_are_no_events_and_no_dead_letters() -> None:
    result = parsed()
    assert (result.events.num_rows, result.dead.num_rows) == (0, 0)
    assert (result.events.schema, result.dead.schema) == (EVENTS, DEAD)


def test_a_batch_may_be_a_slice_of_a_larger_one() -> None:
    batch = raw_batch(encode(*(txn(transaction_id=f"t{i}", amount=i) for i in range(5)), {}, txn(transaction_id="t6")))
    result = parse(batch.slice(3, 4), CONTRACT)
    assert event.unpack_texts(result.events.column("event"))["transaction_id"].to_pylist() == ["t3", "t4", "t6"]
    assert result.dead.column("offset").to_pylist() == [5]


def test_epoch_milliseconds_and_rfc_3339_may_be_mixed_in_a_batch() -> None:
    moments = [NOON_MS, "2026-01-02T12:00:00Z", NOON_MS + 1, "2026-01-02T07:00:00-05:00"]
    heads = event.unpack_heads(parsed(*encode(*(txn(timestamp=m) for m in moments))).events.column("event"))
    assert heads["event_ms"].tolist() == [NOON_MS, NOON_MS, NOON_MS + 1, NOON_MS]
