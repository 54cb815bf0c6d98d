"""The whole road on real parts: every record accounted for, features equal to the bit, alerts once and explained."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from pyspark.sql import SparkSession

from jobs import pipeline
from jobs.backfill import backfill
from jobs.days import Days
from jobs.parity import parity
from jobs.settings import Settings
from jobs.simulate.dirt import Dirt
from jobs.simulate.render import Messages
from jobs.train import train
from tests.jobs import road

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

DIRT = Dirt(late=0.005, future=0.005, out_of_order=0.02, tie=0.02, duplicate=0.01, malformed=0.005)
BATCH_SIZES = (1_500, 30_000, 9_000)  # one after the other on one checkpoint, so each change is a restart
LAST_DAYS = Days((datetime.now(UTC) - timedelta(days=5)).date(), (datetime.now(UTC) + timedelta(days=1)).date())


class Road(NamedTuple):
    settings: Settings
    sent: list[Messages]

    @property
    def n_sent(self) -> int:
        return sum(len(batch.value) for batch in self.sent)


@pytest.fixture(scope="module")
def travelled(spark: SparkSession, broker: Settings, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Over 50,000 dirty payments, sent in three parts and scored with three sizes of micro-batch, then archived."""
    settings = road.own_settings(broker, tmp_path_factory.mktemp("road"))
    sent = road.simulated(n_users=4_200, days=3.5, dirt=DIRT)
    road.register(settings, road.trained_bundle(settings, sent[:2]), settings.var_dir / "bundle")
    assert len(sent) > 3
    cuts = [0, len(sent) // 4, 3 * len(sent) // 4, len(sent)]
    for size, start, stop in zip(BATCH_SIZES, cuts, cuts[1:], strict=False):
        road.send(settings, sent[start:stop])
        smaller = settings.stream.model_copy(update={"max_offsets_per_trigger": size})
        road.score_all(spark, settings.model_copy(update={"stream": smaller}))
    road.archive_all(spark, settings)
    return Road(settings, sent)


def test_every_record_is_scored_or_dead(travelled: Road) -> None:
    topics = travelled.settings.kafka.topics
    scored = [(row["raw_partition"], row["raw_offset"]) for row in road.read_topic(travelled.settings, topics.scored)]
    dead = [(row["partition"], row["offset"]) for row in road.read_topic(travelled.settings, topics.dead)]
    assert travelled.n_sent > 50_000
    assert len(scored) == len(set(scored))
    assert len(dead) == len(set(dead))
    assert not set(scored) & set(dead)
    assert len(scored) + len(dead) == travelled.n_sent


def test_each_kind_of_dirt_ends_with_its_reason(travelled: Road) -> None:
    sent = road.dirt_sent(travelled.sent)
    rows = road.read_topic(travelled.settings, travelled.settings.kafka.topics.dead)
    reasons = Counter(reason for row in rows for reason in row["reasons"])
    assert reasons["too_late"] == sent["late"] > 0
    assert reasons["in_the_future"] == sent["future"] > 0
    assert reasons["duplicate"] == sent["duplicate"] > 0


def test_served_features_equal_backfilled_ones_to_the_bit(spark: SparkSession, travelled: Road) -> None:
    report = parity(spark, travelled.settings, LAST_DAYS)
    assert report.holds, report.lines()
    assert report.n_payments > 50_000
    assert report.not_yet_served == 0


def test_parity_sees_a_single_differing_cell(spark: SparkSession, travelled: Road) -> None:
    table = f"{travelled.settings.archive.table_dir}/scored"
    victim = spark.read.format("delta").load(table).select("transaction_id").first()[0]
    spark.sql(f"UPDATE delta.`{table}` SET features.count_1h = 99.0 WHERE transaction_id = '{victim}'")
    try:
        report = parity(spark, travelled.settings, LAST_DAYS)
    finally:
        spark.sql(f"RESTORE TABLE delta.`{table}` TO VERSION AS OF {_version(spark, table) - 1}")
    assert report.differing == {"count_1h": 1}
    assert not report.holds


def test_alerts_come_once_and_their_reasons_add_up(travelled: Road) -> None:
    settings = travelled.settings
    alerts = list(road.read_topic(settings, settings.kafka.topics.alerts))
    scored = {row["transaction_id"]: row for row in road.read_topic(settings, settings.kafka.topics.scored)}
    expected = [row for row in scored.values() if row["risk_score"] >= settings.policy.alert_threshold]
    assert len(alerts) == len({alert["alert_id"] for alert in alerts}) == len(expected) > 100
    for alert in alerts:
        total = alert["base_score"] + sum(alert["contributions"].values())
        assert total == pytest.approx(alert["risk_score"], abs=1e-4)
        assert alert["reasons"] == sorted(alert["reasons"], key=lambda reason: -reason["contribution"])
        assert all(reason["text"] for reason in alert["reasons"])
        assert scored[alert["transaction_id"]]["risk_score"] == alert["risk_score"]


def test_a_model_is_trained_from_what_backfill_wrote(spark: SparkSession, travelled: Road) -> None:
    settings, said = travelled.settings, []
    assert backfill(spark, settings, LAST_DAYS, said.append) == len(list(LAST_DAYS))
    assert backfill(spark, settings, LAST_DAYS, said.append) == 0
    assert "done before" in said[-1]
    trained = train(spark, settings, LAST_DAYS, said.append, alias="candidate")
    assert trained.bundle.facts.feature_hash == pipeline.feature_set(settings).hash
    assert trained.alert_share == pytest.approx(settings.model.contamination, rel=0.2)


def _version(spark: SparkSession, table: str) -> int:
    return int(spark.sql(f"DESCRIBE HISTORY delta.`{table}` LIMIT 1").first()["version"])
