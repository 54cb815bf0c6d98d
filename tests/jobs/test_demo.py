"""What the demo says its alerts were worth."""

from __future__ import annotations

import pyarrow as pa
import pytest

from jobs.demo.verdict import Verdict
from jobs.simulate.render import LABELS


def sent(transaction_id: str | None, user_id: str = "ann", scheme: str | None = None) -> dict[str, object]:
    named = {"transaction_id": transaction_id, "user_id": user_id, "scheme": scheme}
    return named | {"is_fraud": scheme is not None, "dirt": None}


@pytest.fixture
def verdict() -> Verdict:
    """Two attacks by card testing, one of two payments, and one by takeover; two honest payments, one without id."""
    rows = [
        sent("a1", "ann", "card_testing"),
        sent("a2", "ann", "card_testing"),
        sent("b1", "bob", "card_testing"),
        sent("c1", "cleo", "account_takeover"),
        sent("h1", "dan"),
        sent("h2", "ann"),
        sent(None, "dan"),
    ]
    made = Verdict()
    made.note_truth(pa.RecordBatch.from_pylist(rows, schema=LABELS))
    return made


def test_an_attack_with_two_alerts_is_caught_once(verdict: Verdict) -> None:
    answers = [verdict.note_alert({"transaction_id": name}) for name in ("a1", "a2")]
    assert answers == ["card_testing", "card_testing"]
    assert verdict.by_scheme() == {"account_takeover": (0, 1), "card_testing": (1, 2)}


def test_an_alert_on_an_honest_payment_is_false_even_of_an_attacked_user(verdict: Verdict) -> None:
    assert verdict.note_alert({"transaction_id": "h2"}) is None
    assert verdict.n_false == 1
    assert verdict.by_scheme()["card_testing"] == (0, 2)


def test_an_alert_that_comes_twice_disturbs_once(verdict: Verdict) -> None:
    for _ in range(2):
        verdict.note_alert({"transaction_id": "h1"})
    assert verdict.n_false == 1


def test_an_alert_on_a_payment_nobody_labelled_is_neither_caught_nor_false(verdict: Verdict) -> None:
    assert verdict.note_alert({"transaction_id": "from an earlier run"}) is None
    assert verdict.n_false == 0


def test_truth_in_two_parts_is_one_truth(verdict: Verdict) -> None:
    later = pa.RecordBatch.from_pylist([sent("b2", "bob", "card_testing")], schema=LABELS)
    verdict.note_truth(later)
    verdict.note_alert({"transaction_id": "b2"})
    assert verdict.by_scheme()["card_testing"] == (1, 2)
