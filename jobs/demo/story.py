"""The demo, step by step: the same parts and functions as in production, only smaller."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import takewhile
from threading import Event
from typing import TYPE_CHECKING, Final

from jobs import pipeline
from jobs.days import DAY, Days
from jobs.demo.alert_feed import AlertFeed
from jobs.demo.screen import console, note, show_alert, show_places, show_verdict, step
from jobs.demo.verdict import Verdict
from jobs.errors import ServiceError
from jobs.raw_topic import RawTopic, raw_topic_state
from jobs.services import background_jobs, local_services
from jobs.services.topics import ensure_topics
from jobs.settings import Settings
from jobs.simulate.render import Messages
from jobs.simulate.stream import history_messages, live_messages
from jobs.simulate.to_kafka import send_history, send_live
from jobs.simulate.world import World
from models.registry import CHAMPION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import StreamingQuery

DAY_MS: Final = 86_400_000
N_USERS: Final = 8_000
HISTORY_DAYS: Final = 2
PER_DAY: Final = 2.5
LIVE_RATE_PER_S: Final = 20.0
LIVE_S: Final = 60.0
SENT_AT_ONCE: Final = 20  # a second's worth: the sender can be stopped between two
N_ATTACKS: Final = 12
PATIENCE_S: Final = 120.0


def run(settings: Settings, *, keep: bool) -> None:
    """Start everything, train on a simulated past, score live traffic with attacks in it, and show what was found."""
    services = local_services(settings, note)
    was_up = services[0].status().is_up
    try:
        with step("a real Kafka broker, and its topics"):
            for service in services:
                service.start()
            ensure_topics(settings)
        for job in background_jobs(settings):
            job.stop()
        _in_spark(settings)
        if keep:
            for job in background_jobs(settings):
                job.start()
    finally:
        if not (keep or was_up):
            for service in reversed(services):
                service.stop()
    programs = (*services, *background_jobs(settings))
    show_places(settings, [program.name for program in programs if program.status().is_up])


def _in_spark(settings: Settings) -> None:
    world = World.create(seed=1, n_users=N_USERS, per_day=PER_DAY)
    if not any(raw_topic_state(settings).end_offsets):
        with step(f"a past: {HISTORY_DAYS} days of payments by {N_USERS:,} users, into Kafka"):
            _send_past(settings, world)
    with step("a Spark session"):
        from jobs.session import spark_session

        spark = spark_session(settings, "demo")
    try:
        if pipeline.registry(settings).version_of(CHAMPION) is None:
            _learn(spark, settings)
        _score_live(spark, settings, world)
        with step("everything archived: Delta tables raw, scored, alerts, dead"):
            _archive(spark, settings, ("raw", "scored", "alerts", "dead"))
    finally:
        spark.stop()


def _send_past(settings: Settings, world: World) -> None:
    now_ms = int(time.time() * 1000)
    start_ms = now_ms - HISTORY_DAYS * DAY_MS
    send_history(settings, history_messages(world, start_ms, now_ms), start_ms, note, lambda _: None)


def _learn(spark: SparkSession, settings: Settings) -> None:
    from jobs.backfill import backfill
    from jobs.train import train

    with step("the raw topic archived in Delta"):
        _archive(spark, settings, ("raw",))
    today = datetime.now(UTC).date()
    with step("features of the past, by the code that serves them live"):
        backfill(spark, settings, Days(today - HISTORY_DAYS * DAY, today), note)
    with step("an isolation forest, trained, calibrated and registered as @champion"):
        train(spark, settings, None, note, alias="champion")


def _archive(spark: SparkSession, settings: Settings, tables: tuple[str, ...]) -> None:
    from jobs.archive import start_archive
    from jobs.supervise import supervise

    supervise(start_archive(spark, settings, tables, available_now=True), lambda _: None)


def _score_live(spark: SparkSession, settings: Settings, world: World) -> None:
    from jobs.score import scoring

    with scoring(spark, settings, note) as query:
        with step("the scoring job, and the past through it"):
            _wait_until_scored(settings, query, lambda: None)
        _watch(settings, query, world)


def _watch(settings: Settings, query: StreamingQuery, world: World) -> None:
    verdict, feed = Verdict(), AlertFeed(settings)
    console.print(
        f"\nLive: {LIVE_RATE_PER_S:.0f} payments a second for {LIVE_S:.0f} s, {N_ATTACKS} attacks among them. Alerts:\n"
    )
    messages = list(
        live_messages(world, LIVE_RATE_PER_S, int(time.time() * 1000) + 500, LIVE_S, N_ATTACKS, batch_rows=SENT_AT_ONCE)
    )
    for batch in messages:
        verdict.note_truth(batch.labels)
    _send_while(settings, messages, lambda: _look(query, feed, verdict))
    _wait_until_scored(settings, query, lambda: _show_new(feed, verdict))
    _show_new(feed, verdict)
    show_verdict(verdict, sum(len(batch.value) for batch in messages))


def _send_while(settings: Settings, messages: list[Messages], meanwhile: Callable[[], None]) -> None:
    """Send in the background; what goes wrong there or `meanwhile` ends both and is raised."""
    stop = Event()
    unstopped = takewhile(lambda _: not stop.is_set(), messages)
    with RawTopic(settings, linger_ms=5) as raw, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_live, raw, unstopped, lambda _: None)
        try:
            while not sending.done():
                meanwhile()
        finally:
            stop.set()
        sending.result()


def _look(query: StreamingQuery, feed: AlertFeed, verdict: Verdict) -> None:
    from jobs.supervise import raise_failure

    raise_failure([query])
    _show_new(feed, verdict)


def _show_new(feed: AlertFeed, verdict: Verdict) -> None:
    for alert in feed.poll():
        show_alert(alert, verdict.note_alert(alert))


def _wait_until_scored(settings: Settings, query: StreamingQuery, meanwhile: Callable[[], None]) -> None:
    """Until the query has committed all that is in the raw topic now; raises ServiceError when that takes too long."""
    from jobs.supervise import raise_failure, read_offsets

    goal, deadline = raw_topic_state(settings).end_offsets, time.monotonic() + PATIENCE_S
    while any(read_offsets(query, settings.kafka.topics.raw).get(p, 0) < end for p, end in enumerate(goal)):
        raise_failure([query])
        if time.monotonic() > deadline:
            raise ServiceError(
                f"the scoring job did not get through the raw topic in {PATIENCE_S:.0f} s", "run it again"
            )
        meanwhile()
        time.sleep(0.2)
