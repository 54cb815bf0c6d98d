from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from jobs.simulate.dirt import Dirt
from jobs.simulate.payment import DAY_MS, HOUR_MS
from jobs.simulate.render import Messages
from jobs.simulate.stream import bulk_messages, history_messages, live_messages
from jobs.simulate.world import World
from tests.jobs.simulate.worlds import MONDAY_MS, SMALL, a_day, decoded, judged, labels

END_MS = MONDAY_MS + 3 * DAY_MS
DIRT = Dirt(late=0.02, future=0.01, out_of_order=0.02, tie=0.02, duplicate=0.02, malformed=0.02)


def three_days(**options: object) -> list[Messages]:
    return list(history_messages(SMALL, MONDAY_MS, END_MS, **{"n_attacks": 6, **options}))  # type: ignore[arg-type]


def record_times(messages: list[Messages]) -> list[int]:
    return [at_ms for batch in messages for at_ms in batch.record_ms.tolist()]


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (
        [value for batch in history_messages(World.create(9, 200), MONDAY_MS, END_MS, 3, DIRT) for value in batch.value]
        for _ in range(2))
    assert first == second


@pytest.mark.parametrize("dirt", [Dirt(), DIRT], ids=["clean", "dirty"])
def test_messages_come_in_the_order_of_their_record_times(dirt: Dirt) -> None:
    times = record_times(three_days(dirt=dirt))
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[-1] <= END_MS


def test_nothing_is_recorded_after_the_end() -> None:
    messages = list(history_messages(SMALL, MONDAY_MS, MONDAY_MS + HOUR_MS, dirt=Dirt(duplicate=1.0)))
    assert max(record_times(messages)) == MONDAY_MS + HOUR_MS


def test_a_history_holds_the_honest_payments_and_the_attacks_and_nothing_else() -> None:
    truth = labels(three_days())
    honest = len(a_day(n_days=3))
    owners_of_copied_cards = 2   # the honest payment at home that begins each of two impossible journeys
    assert sum(not row["is_fraud"] for row in truth) == honest + owners_of_copied_cards


def test_every_scheme_is_among_the_labels() -> None:
    schemes = {row["scheme"] for row in labels(three_days()) if row["is_fraud"]}
    assert schemes == {"card_testing", "impossible_travel", "account_takeover"}


def test_no_transaction_id_is_given_twice_but_to_duplicates() -> None:
    truth = labels(three_days(dirt=DIRT))
    seen = Counter(row["transaction_id"] for row in truth)
    again = {row["transaction_id"] for row in truth if row["dirt"] == "duplicate"}
    assert {name for name, times in seen.items() if times > 1} == again
    assert max(seen.values()) == 2


def test_labels_stand_in_the_order_of_the_messages() -> None:
    messages = three_days()
    assert [row["transaction_id"] for row in labels(messages)] == [row["transaction_id"] for row in decoded(messages)]


def test_live_messages_are_due_at_the_rate_with_the_attacks_on_top() -> None:
    messages = list(live_messages(SMALL, 20, MONDAY_MS, 60, n_attacks=3))
    frauds = [row for row in labels(messages) if row["is_fraud"]]
    n_honest = len(labels(messages)) - len(frauds)
    assert len(frauds) > 10
    assert n_honest == 20 * 60 + 1   # one is the owner's own payment before his card's copy travels
    assert min(record_times(messages)) >= MONDAY_MS
    assert max(record_times(messages)) < MONDAY_MS + 60_000


def test_live_transaction_ids_differ_from_run_to_run() -> None:
    first, second = (
        {row["transaction_id"] for row in labels(live_messages(SMALL, 20, start_ms, 10))}
        for start_ms in (MONDAY_MS, MONDAY_MS + 1000))
    assert first.isdisjoint(second)


def test_bulk_messages_press_days_into_minutes_and_keep_their_order() -> None:
    until_ms, span_ms = MONDAY_MS + 40 * DAY_MS, HOUR_MS // 2
    pressed = list(bulk_messages(SMALL, MONDAY_MS, END_MS, until_ms, span_ms, 6))
    times = record_times(pressed)
    assert until_ms - span_ms <= times[0] <= times[-1] <= until_ms
    users = [row["user_id"] for row in labels(pressed)]
    assert users == [row["user_id"] for row in labels(three_days())]


def test_bulk_messages_keep_the_contract_and_their_dirt_is_counted() -> None:
    dirt = Dirt(out_of_order=0.02, tie=0.02, duplicate=0.02, malformed=0.02)
    pressed = list(bulk_messages(SMALL, MONDAY_MS, END_MS, MONDAY_MS, HOUR_MS // 2, 6, dirt))
    truth = Counter(row["dirt"] for row in labels(pressed))
    assert judged(pressed).dead.num_rows == truth["malformed"] > 0


def test_an_empty_hour_has_no_messages() -> None:
    nobody = World.create(seed=1, n_users=1, per_day=0.01)
    assert list(history_messages(nobody, MONDAY_MS, MONDAY_MS + HOUR_MS)) == []


def test_the_batch_size_changes_no_byte() -> None:
    one, many = (
        np.concatenate([batch.value for batch in live_messages(SMALL, 20, MONDAY_MS, 10, 3, batch_rows=size)])
        for size in (10_000, 7))
    assert one.tolist() == many.tolist()
