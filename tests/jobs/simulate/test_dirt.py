from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.transaction import Reason
from jobs.simulate.dirt import CLEAN, DUPLICATE, OUT_OF_ORDER, TIE, Dirt, soiled
from jobs.simulate.payment import DAY_MS, Payments
from jobs.simulate.stream import history_messages
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, a_day, judged, labels

ALL_KINDS = Dirt(late=0.02, future=0.02, out_of_order=0.02, tie=0.02, duplicate=0.02, malformed=0.02)
KINDS = ("late", "future", "out_of_order", "tie", "duplicate", "malformed")
FAULTS = (Reason.TOO_LATE, Reason.IN_THE_FUTURE)


def numbered_day() -> Payments:
    rows = a_day()
    rows["serial"] = np.arange(len(rows))
    return rows


def soil(dirt: Dirt) -> Payments:
    return soiled(numbered_day(), dirt, np.random.default_rng(1))


def test_clean_rows_stay_as_they_are() -> None:
    assert np.array_equal(soil(Dirt()), numbered_day())


@pytest.mark.parametrize(("kind", "name"), list(enumerate(KINDS, 1)))
def test_the_share_that_is_asked_for_is_what_gets_dirty(kind: int, name: str) -> None:
    rows = soil(Dirt(**{name: 0.03}))
    assert (rows["dirt"] == kind).sum() == round(0.03 * len(numbered_day()))


def test_where_too_few_payments_are_fit_all_of_those_are_taken() -> None:
    rows = soil(Dirt(tie=1.0))
    assert 0 < (rows["dirt"] == TIE).sum() < len(rows) / 2


def test_a_tie_has_the_event_time_of_an_earlier_payment_of_its_user() -> None:
    rows = soil(Dirt(tie=0.03))
    clean = {(row["user"], row["time_ms"]): row["serial"] for row in rows[rows["dirt"] == CLEAN]}
    for row in rows[rows["dirt"] == TIE]:
        assert clean[row["user"], row["time_ms"]] < row["serial"]


def test_a_payment_out_of_order_is_sent_after_the_next_of_its_user() -> None:
    rows = soil(Dirt(out_of_order=0.03))
    for row in rows[rows["dirt"] == OUT_OF_ORDER]:
        own = rows[(rows["user"] == row["user"]) & (rows["time_ms"] > row["time_ms"])]
        assert own["record_ms"].min() < row["record_ms"]


def test_a_duplicate_is_sent_later_and_differs_in_nothing_else() -> None:
    rows = soil(Dirt(duplicate=0.03))
    original = {row["serial"]: row for row in rows[rows["dirt"] == CLEAN]}
    for copy in rows[rows["dirt"] == DUPLICATE]:
        first = original[copy["serial"]].copy()
        assert copy["record_ms"] > first["record_ms"]
        first["record_ms"], first["dirt"] = copy["record_ms"], copy["dirt"]
        assert copy == first


def test_the_contract_finds_exactly_the_dirt_that_was_put_in() -> None:
    messages = list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + 2 * DAY_MS, n_attacks=3, dirt=ALL_KINDS))
    truth, dead = Counter(row["dirt"] for row in labels(messages)), judged(messages).dead
    found = Counter("malformed" if set(reasons).isdisjoint(FAULTS) else reasons[0]
                    for reasons in dead.column("reasons").to_pylist())
    assert found == {Reason.TOO_LATE: truth["late"], Reason.IN_THE_FUTURE: truth["future"],
                     "malformed": truth["malformed"]}
    assert all(truth[name] > 0 for name in KINDS)


def test_no_payment_of_an_attack_gets_dirty() -> None:
    everything = Dirt(late=0.3, malformed=0.3, duplicate=0.3)
    messages = history_messages(SMALL, MONDAY_MS, MONDAY_MS + DAY_MS, n_attacks=6, dirt=everything)
    assert {row["dirt"] for row in labels(messages) if row["is_fraud"]} == {None}
