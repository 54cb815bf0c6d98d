"""The tutorial way, as a job: ``python -m tests.bench.tutorial pandas|row`` with the bench's settings.

from_json, a watermark, a sliding window, and scikit-learn in a UDF. What it lacks, against ``tidewatch score``:

* one window of an hour, in steps of five minutes, in place of 42 features over four windows: each further window is
  another query with its own state, and new, distinct or distant places and ratios to the user's own past need the
  payments themselves;
* a row for each user and window whose count changed in the micro-batch, not for each payment: payments of a user in
  one micro-batch and five minutes share one row, scored with what came after them too;
* no dead letters: what is malformed, late, dated ahead or sent twice is dropped, or counted, in silence;
* no reasons, no calibrated risk, no versions; a new model needs a restart;
* alerts at least once, so twice after a failure.

Session settings, batch size, state store, forest and topics are those of ``tidewatch score``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from sklearn.ensemble import IsolationForest

from features.transaction import COORDINATES, TEXTS
from jobs.score import read_raw
from jobs.session import spark_session
from jobs.settings import Settings, load_settings
from jobs.supervise import stop_signal, supervise

QUERY: Final = "tutorial"
PAYMENT: Final = ", ".join(
    ["user_id string", "amount double", "timestamp timestamp"]
    + [f"{name} double" for name in COORDINATES]
    + [f"{name} string" for name in TEXTS]
)
FEATURES: Final = ("amount", "hour", "count_1h", "sum_amount_1h", "mean_amount_1h", "max_amount_1h")
STEP: Final = "5 minutes"
N_TRAINING: Final = 20_000


def windowed(raw: DataFrame) -> DataFrame:
    """The newest payment of each user and window, with the window's aggregates."""
    payments = raw.select(F.from_json(F.col("value").cast("string"), PAYMENT).alias("payment")).select("payment.*")
    if payments.isStreaming:
        payments = payments.withWatermark("timestamp", "1 hour")
    return payments.groupBy("user_id", F.window("timestamp", "1 hour", STEP)).agg(
        F.count("*").alias("count_1h"),
        F.sum("amount").alias("sum_amount_1h"),
        F.avg("amount").alias("mean_amount_1h"),
        F.max("amount").alias("max_amount_1h"),
        F.max_by(F.struct(*TEXTS, "amount", "timestamp"), "timestamp").alias("last"),
    )


def fullest(windows: DataFrame) -> DataFrame:
    """Of the twelve windows a payment lies in, the one that reaches furthest back: 55 minutes or more."""
    is_fullest = F.col("window.end") <= F.col("last.timestamp") + F.expr(f"interval {STEP}")
    return (
        windows.where(is_fullest)
        .select("user_id", "count_1h", "sum_amount_1h", "mean_amount_1h", "max_amount_1h", "last.*")
        .withColumn("hour", F.hour("timestamp").cast("double"))
    )


def trained(spark: SparkSession, settings: Settings) -> IsolationForest:
    """On the beginning of the topic, with our forest's sizes and contamination."""
    topic = spark.read.format("kafka").options(**settings.kafka.spark_options())
    raw = topic.option("subscribe", settings.kafka.topics.raw).load().limit(N_TRAINING)
    rows = raw.transform(windowed).transform(fullest).select(*FEATURES).toPandas().to_numpy(np.float64)
    model = settings.model
    forest = IsolationForest(
        n_estimators=model.n_estimators,
        max_samples=min(model.max_samples, len(rows)),
        contamination=model.contamination,
        random_state=model.seed,
    )
    return forest.fit(rows)


def vectorised(forest: Any) -> Callable[..., Column]:
    """A pandas UDF: the better tutorials."""

    def score(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.Series]:
        for columns in batches:
            yield pd.Series(forest.value.decision_function(np.column_stack(columns)))

    return F.pandas_udf(score, "double")


def row_by_row(forest: Any) -> Callable[..., Column]:
    """A plain UDF that calls the model once for each row: the usual tutorial."""
    return F.udf(lambda *values: float(forest.value.decision_function(np.array([values]))[0]), "double")


def main() -> None:
    """Run until stopped."""
    settings, udf_of = load_settings(), {"pandas": vectorised, "row": row_by_row}[sys.argv[1]]
    spark = spark_session(settings, QUERY)
    score = udf_of(spark.sparkContext.broadcast(trained(spark, settings)))
    sink = settings.kafka.spark_options()

    def write(batch: DataFrame, _: int) -> None:
        scored = batch.transform(fullest).withColumn("score", score(*FEATURES)).persist()
        message = F.to_json(F.struct("*")).alias("value")
        for topic, rows in (
            (settings.kafka.topics.scored, scored),
            (settings.kafka.topics.alerts, scored.where("score < 0")),
        ):
            rows.select(F.col("user_id").alias("key"), message).write.format("kafka").options(**sink).option(
                "topic", topic
            ).save()
        scored.unpersist()

    writer = read_raw(spark, settings).transform(windowed).writeStream.queryName(QUERY).outputMode("update")
    checkpoint = Path(settings.stream.checkpoint_dir) / QUERY
    with stop_signal() as stop:
        query = writer.foreachBatch(write).option("checkpointLocation", str(checkpoint)).start()
        supervise([query], lambda line: sys.stderr.write(f"{line}\n"), stop)


if __name__ == "__main__":
    main()
