"""Dead letters sent to the raw topic again, once the cause is mended: original partition, key and bytes, and a header.

    chunk ──► raw topic ──► noted in the table replays ──► next chunk

A crash before a chunk is noted lets the next run send that chunk again; what is a payment in it ends as a duplicate.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Literal

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from jobs.dead import SEND
from jobs.errors import ServiceError
from jobs.raw_topic import keep_from
from jobs.settings import Settings
from jobs.tables import DATE, table_path

HEADER: Final = "tidewatch-replay-of"  # topic:partition:offset of the message that was refused
CHUNK: Final = 1_000
MAX_REQUEST_BYTES: Final = 4 * 2**20  # more than Kafka takes as one message

RecordTime = Literal["original", "now"]


def replay(settings: Settings, letters: DataFrame, at: RecordTime, say: Callable[[str], None]) -> int:
    """Send every letter whose fate it is, in the order they came; returns how many.

    With their original record time they are judged as late as they were; with the present one, as late as they are.
    """
    due = letters.where(F.col("fate") == SEND)
    oldest_ms = due.agg(F.unix_millis(F.min("ingest_time"))).collect()[0][0]
    if at == "original" and oldest_ms is not None:
        keep_from(settings, oldest_ms, say)
    ordered = due.orderBy("ingest_time", "partition", "offset").withColumn("ingest_ms", F.unix_millis("ingest_time"))
    n_sent = 0
    with closing(_producer(settings)) as producer:
        for chunk in _chunks(ordered.toLocalIterator(prefetchPartitions=False)):
            _send(producer, settings.kafka.topics.raw, chunk, at)
            _note(letters.sparkSession, settings, chunk)
            n_sent += len(chunk)
            say(f"{n_sent:,} sent")
    return n_sent


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _producer(settings: Settings) -> KafkaProducer:
    return KafkaProducer(**settings.kafka.client_options(), acks="all", max_request_size=MAX_REQUEST_BYTES)


def _send(producer: KafkaProducer, topic: str, chunk: list[Row], at: RecordTime) -> None:
    """To the partition it came from, whoever had chosen that: a user's payments must stay in one."""
    try:
        sent = [
            producer.send(topic, bytes(row.value), row.key and bytes(row.key), partition=row.partition,
                          headers=[(HEADER, f"{row.topic}:{row.partition}:{row.offset}".encode())],
                          timestamp_ms=row.ingest_ms if at == "original" else None)
            for row in chunk
        ]
        producer.flush()
        for future in sent:
            future.get()
    except KafkaError as error:
        raise ServiceError(f"Kafka did not take all of a chunk of dead letters: {error!r}",
                           "look at `tidewatch status`, then run the same command again: what was noted is not sent "
                           "again, and a payment that arrives twice ends as a duplicate") from error


def _note(spark: SparkSession, settings: Settings, chunk: list[Row]) -> None:
    rows = [(row.topic, row.partition, row.offset, row.ingest_ms) for row in chunk]
    sent = spark.createDataFrame(rows, "topic string, partition int, offset bigint, ingest_ms bigint")
    now = F.lit(datetime.now(UTC))
    columns = ["topic", "partition", "offset", F.timestamp_millis("ingest_ms").alias("ingest_time")]
    noted = sent.select(*columns, now.alias("replayed_at"), F.to_date(now).alias(DATE))
    noted.write.format("delta").mode("append").save(table_path(settings.archive.table_dir, "replays"))
