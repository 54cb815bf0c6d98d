"""Messages into the raw topic through Spark's Kafka sink: many at once, to load the jobs with.

Spark's sink dates every record with the time of writing. The payments must therefore have been made just now; see
`stream.bulk_messages`, which presses a long history into minutes.
"""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.raw_topic import raw_topic_state
from jobs.settings import Settings
from jobs.simulate.render import Messages

ROW = pa.schema({"key": pa.binary(), "value": pa.binary(), "number": pa.int64()})


def send_bulk(settings: Settings, messages: Iterable[Messages], say: Callable[[str], None],
              advance: Callable[[Messages], None]) -> None:
    """Write all to a scratch file, then let Spark send it, each user's payments in order."""
    raw_topic_state(settings)
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bulk-", dir=settings.var_dir) as folder:
        file = Path(folder) / "messages.parquet"
        _write(file, messages, advance)
        say("sending through Spark")
        _send(settings, file)


def _write(file: Path, messages: Iterable[Messages], advance: Callable[[Messages], None]) -> None:
    n = 0
    with pq.ParquetWriter(file, ROW) as writer:
        for batch in messages:
            numbers = pa.array(range(n, n + len(batch.key)), pa.int64())
            keys, values = pa.array(batch.key, pa.binary()), pa.array(batch.value, pa.binary())
            writer.write_batch(pa.RecordBatch.from_arrays([keys, values, numbers], schema=ROW))
            n += len(batch.key)
            advance(batch)


def _send(settings: Settings, file: Path) -> None:
    from jobs.session import spark_session

    spark = spark_session(settings, "simulate")
    rows = spark.read.parquet(str(file)).repartition(settings.stream.n_shuffle_partitions, "key")
    sink = rows.sortWithinPartitions("number").select("key", "value").write.format("kafka")
    sink.options(**settings.kafka.spark_options()).option("topic", settings.kafka.topics.raw).save()
