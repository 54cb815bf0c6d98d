"""Users over the limit, in small: accounted for to the last record, told about once, and rebuilt to the bit."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import SparkSession

from jobs.backfill_file import Rows, backfill_file
from jobs.days import Days
from jobs.parity import parity
from jobs.settings import Settings
from jobs.simulate.render import Messages
from tests.hostile import crowds
from tests.hostile.crowds import HOUR_MS
from tests.jobs import road

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

LIMIT = 40
N_OVER = {"steady": 160, "untidy": 60, "again": 10, "on-the-hour": 10, "just-not": 0}
LAST_DAYS = Days((datetime.now(UTC) - timedelta(days=2)).date(), (datetime.now(UTC) + timedelta(days=1)).date())


class Told(NamedTuple):
    settings: Settings
    sent: list[Messages]
    said: list[str]
    scored: list[dict[str, Any]]
    dead: list[dict[str, Any]]
    alerts: list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(spark: SparkSession, broker: Settings, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Ordinary users and five others, in two parts with a restart between, micro-batches of 300."""
    own = road.own_settings(
        broker,
        tmp_path_factory.mktemp("too-active"),
        contract={"max_user_payments_per_hour": LIMIT},
        stream={"max_offsets_per_trigger": 300},
        spark={"arrow_max_records_per_batch": 50},
    )
    start_ms, said = crowds.full_hour_ms(ago=4), list[str]()
    others = crowds.by_turns(600, 150, start_ms, 2 * HOUR_MS)
    crowd = others.and_also(
        crowds.evenly(["steady"] * 240, start_ms, 2 * HOUR_MS),
        crowds.evenly(["untidy"] * 100, start_ms + 60_000, HOUR_MS // 2).out_of_order(300_000),
        crowds.evenly(["again"] * 50, start_ms, HOUR_MS),
        crowds.evenly(["on-the-hour"] * 90, start_ms + HOUR_MS // 2, HOUR_MS),
        crowds.evenly(["just-not"] * (LIMIT - 1), start_ms, HOUR_MS),
    )
    half = len(crowd.user_id) // 2
    parts = crowd.part(0, half), crowd.part(half, len(crowd.user_id))
    sent = [part.messages(f"p{at}", repeating=["again"]) for at, part in enumerate(parts)]
    crowds.register_model(own, crowds.by_turns(1_500, 150, start_ms, HOUR_MS).messages("model"))
    for part in sent:
        road.send(own, [part])
        road.score_all(spark, own, said)
    topics = own.kafka.topics
    return Told(
        own, sent, said, *(list(road.read_topic(own, name)) for name in (topics.scored, topics.dead, topics.alerts))
    )


def test_every_record_over_the_limit_is_dead_and_all_others_are_scored(told: Told) -> None:
    reasons = Counter(reason for letter in told.dead for reason in letter["reasons"])
    assert reasons["user_too_active"] == sum(N_OVER.values())
    assert set(reasons) == {"user_too_active", "duplicate"}
    places = [(letter["partition"], letter["offset"]) for letter in told.dead]
    places += [(row["raw_partition"], row["raw_offset"]) for row in told.scored]
    assert len(places) == len(set(places)) == sum(len(part.value) for part in told.sent)


def test_who_reaches_the_limit_is_an_alert_exactly_once_an_hour(told: Told) -> None:
    alerts = [alert for alert in told.alerts if "USER_TOO_ACTIVE" in alert["reason_codes"]]
    hours = Counter((alert["user_id"], alert["event_time"][:13]) for alert in alerts)
    assert set(hours.values()) == {1}
    assert Counter(user for user, _ in hours) == {"steady": 2, "untidy": 1, "again": 1, "on-the-hour": 2}
    assert len({alert["alert_id"] for alert in told.alerts}) == len(told.alerts)
    for alert in alerts:
        assert (alert["risk_level"], alert["recommendation"]) == ("CRITICAL", "BLOCK")
        assert alert["reasons"][0]["text"].startswith(f"{LIMIT} payments in one hour")
        total = alert["base_score"] + sum(alert["contributions"].values())
        assert total == pytest.approx(alert["risk_score"], abs=1e-4)


def test_a_repeat_that_reaches_the_limit_is_told_about_and_dead_all_the_same(told: Told) -> None:
    (alert,) = [
        alert for alert in told.alerts if alert["user_id"] == "again" and "USER_TOO_ACTIVE" in alert["reason_codes"]
    ]
    (letter,) = [
        letter
        for letter in told.dead
        if (letter["partition"], letter["offset"]) == (alert["raw_partition"], alert["raw_offset"])
    ]
    assert letter["reasons"] == ["duplicate"]
    assert not any(row["features"] is None for row in told.scored)
    assert alert["features"] == {}


def test_full_hours_are_pinned_and_keep_the_state_from_growing(told: Told) -> None:
    pinned = [json.loads(file.read_text()) for file in _versions(told.settings)]
    known = {user for versions in pinned for user, _, _ in versions["full_hours"]}
    assert known == {user for user, n in N_OVER.items() if n}


def test_what_was_served_is_rebuilt_to_the_bit(spark: SparkSession, told: Told) -> None:
    road.archive_all(spark, told.settings)
    report = parity(spark, told.settings, LAST_DAYS)
    assert report.holds, report.lines()
    assert report.n_payments == len(told.scored)


def test_a_file_of_the_same_payments_ends_the_same_way(spark: SparkSession, told: Told, tmp_path: Path) -> None:
    source = tmp_path / "payments.jsonl"
    source.write_bytes(b"\n".join(value for part in told.sent for value in part.value) + b"\n")
    found = backfill_file(spark, told.settings, source, tmp_path / "features", lambda _: None)
    n_duplicates = sum(letter["reasons"] == ["duplicate"] for letter in told.dead)
    n_sent = sum(len(part.value) for part in told.sent)
    assert found == Rows(n_sent, len(told.scored), n_duplicates, 0, sum(N_OVER.values()))


def _versions(settings: Settings) -> list[Path]:
    folder = Path(settings.stream.checkpoint_dir) / "score" / "versions"
    return [file for file in folder.iterdir() if file.name.isdigit()]
