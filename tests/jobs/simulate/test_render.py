from __future__ import annotations

import msgspec
import numpy as np
import pytest

from jobs.simulate.categories import ATM, ECOM, POS
from jobs.simulate.dirt import MALFORMED
from jobs.simulate.payment import CARD_TESTING, DAY_MS, Payments, ip_address
from jobs.simulate.render import MESSAGE_FIELDS, OPTIONAL, rendered
from jobs.simulate.stream import history_messages
from tests.jobs.simulate.test_world import city
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, judged, payment


def written(rows: Payments) -> dict[str, object]:
    (value,) = rendered(SMALL, rows).value
    return msgspec.json.decode(value)  # type: ignore[no-any-return]


def test_every_honest_message_keeps_the_contract() -> None:
    messages = list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + DAY_MS, n_attacks=6))
    assert judged(messages).dead.num_rows == 0


@pytest.mark.parametrize(("where", "text"), [
    ("London", "2026-01-05T00:00:00.007+00:00"),
    ("Los Angeles", "2026-01-04T16:00:00.007-08:00"),
    ("Mumbai", "2026-01-05T05:30:00.007+05:30"),
])
def test_a_timestamp_shows_the_payers_clock(where: str, text: str) -> None:
    assert written(payment(time_ms=MONDAY_MS + 7, clock=city(where)))["timestamp"] == text


@pytest.mark.parametrize(("where", "usd", "amount"), [
    ("New York", 10.126, 10.13), ("Tokyo", 10.0, 1490), ("Kuwait City", 10.0, 3.1)])
def test_an_amount_is_in_the_money_of_the_place_with_its_digits(where: str, usd: float, amount: float) -> None:
    assert written(payment(channel=POS, usd=usd, place=city(where)))["amount"] == amount


def test_no_amount_is_rounded_down_to_nothing() -> None:
    assert written(payment(channel=POS, usd=0.0001, place=city("New York")))["amount"] == 0.01


@pytest.mark.parametrize(("where", "usd", "amount"), [
    ("New York", 37.0, 40), ("New York", 1.0, 10), ("Tokyo", 50.0, 7000)])
def test_cash_comes_in_whole_notes(where: str, usd: float, amount: float) -> None:
    assert written(payment(channel=ATM, usd=usd, place=city(where)))["amount"] == amount


def test_over_the_internet_a_user_pays_in_the_money_of_his_home() -> None:
    abroad = payment(channel=ECOM, user=5, place=city("Tokyo"), usd=5)
    at_home = payment(channel=POS, user=5, place=int(SMALL.home[5]), usd=5)
    assert written(abroad)["currency"] == written(at_home)["currency"]


@pytest.mark.parametrize("number", range(1, len(OPTIONAL) + 1))
def test_an_absent_field_is_left_out_and_no_other(number: int) -> None:
    rows = payment(channel=ECOM, place=city("New York"), user=int(np.flatnonzero(SMALL.home == city("New York"))[0]),
                   device=1, ip=int(ip_address(0, 1)), usd=5)
    full = written(rows)
    rows["absent"] = number
    name = OPTIONAL[number - 1]
    assert set(full) - set(written(rows)) == ({"latitude", "longitude"} if name == "latitude" else {name})


def test_only_a_dollar_goes_without_saying() -> None:
    rows = payment(channel=POS, place=city("Tokyo"), usd=5, absent=1 + OPTIONAL.index("currency"))
    assert written(rows)["currency"] == "JPY"


def test_an_address_names_the_city_it_is_in() -> None:
    assert written(payment(channel=ECOM, ip=int(ip_address(city("Berlin"), 258))))["ip"] == f"10.{city('Berlin')}.1.2"


def test_a_transfer_names_the_payee_the_same_way_every_time() -> None:
    first, second = (written(payment(channel=ECOM, payee=1234)) for _ in range(2))
    assert first["counterparty_name"] == second["counterparty_name"]
    assert "counterparty_name" not in written(payment(channel=ECOM))


@pytest.mark.parametrize("choice", range(9))
def test_each_kind_of_malformed_message_is_refused_by_the_contract(choice: int) -> None:
    broken = rendered(SMALL, payment(channel=POS, usd=5, serial=choice, dirt=MALFORMED))
    assert judged([broken]).dead.num_rows == 1


def test_key_and_label_belong_to_the_message() -> None:
    messages = rendered(SMALL, payment(user=42, serial=255, scheme=CARD_TESTING, record_ms=1))
    assert messages.key == [b"u42"]
    assert messages.labels.to_pylist() == [
        {"transaction_id": "3-ff", "user_id": "u42", "scheme": "card_testing", "is_fraud": True, "dirt": None}]


def test_the_identity_comes_first_in_a_message() -> None:
    assert MESSAGE_FIELDS[:2] == ("transaction_id", "user_id")
