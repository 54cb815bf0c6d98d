"""Training: the feature rows that backfill wrote -> a calibrated bundle in the registry, and who scores from now on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from features.catalogue import FeatureSet
from jobs import pipeline
from jobs.backfill import FEATURES_TABLE
from jobs.days import Days
from jobs.errors import ContractError
from jobs.files import Files
from jobs.settings import Settings
from jobs.tables import table_path
from models.bundle import Bundle, save_bundle
from models.isolation_forest import IsolationForest
from models.policy import Policy
from models.training import Recipe, TrainingSet, fit_bundle

MIN_ROWS: Final = 1_000
_BUCKETS: Final = 2**31


Say = Callable[[str], None]


class Trained(NamedTuple):
    """A registered version, and what share of its training rows would raise an alert."""

    version: int
    bundle: Bundle
    alert_share: float


def train(spark: SparkSession, settings: Settings, days: Days | None, say: Say, *, alias: str | None) -> Trained:
    """Train on the features table, all of it or some event days, and register the bundle under ``alias``.

    Raises ContractError when there are too few rows of the present feature set.
    """
    chosen = pipeline.feature_set(settings)
    rows = read_training_set(spark, settings, chosen, days)
    say(f"{len(rows.matrix):,} payments, {len(chosen.names)} features, {rows.first:%Y-%m-%d} to {rows.last:%Y-%m-%d}")
    model = settings.model
    forest = Recipe(
        IsolationForest.kind,
        lambda matrix, seed: IsolationForest.fit(matrix, seed, model.n_estimators, model.max_samples),
    )
    bundle = fit_bundle(
        rows, [forest], contamination=model.contamination, seed=model.seed, created_at=datetime.now(UTC)
    )
    share = _alert_share(bundle, rows, pipeline.policy(settings))
    version = _register(bundle, settings, share, alias)
    say(f"registered {model.name} version {version}{f' as @{alias}' if alias else ''}, bundle {bundle.version}")
    return Trained(version, bundle, share)


def read_training_set(spark: SparkSession, settings: Settings, chosen: FeatureSet, days: Days | None) -> TrainingSet:
    """At most ``model.max_training_rows`` rows of the features table, the same ones whenever the table is the same."""
    path = table_path(settings.archive.table_dir, FEATURES_TABLE)
    if not Files(spark, path).names("_delta_log"):
        raise ContractError(f"there is no features table at {path}", "compute features first: tidewatch backfill")
    table = spark.read.format("delta").load(path).where(F.col("feature_set") == chosen.hash)
    if days is not None:
        table = table.where(F.col("date").between(F.lit(days.first), F.lit(days.last)))
    n_rows = table.count()
    if n_rows < MIN_ROWS:
        raise ContractError(
            f"{n_rows} rows of feature set {chosen.hash} in {path}, at least {MIN_ROWS} are needed to train",
            "compute the features of more days with the present settings: tidewatch backfill",
        )
    frame = (
        table.transform(_sampled, settings.model.max_training_rows, settings.model.seed, n_rows)
        .select("event_time", *chosen.names)
        .toPandas()
    )
    matrix = frame[list(chosen.names)].to_numpy(np.float64)
    order = np.lexsort(matrix.T)  # Spark gives rows in no order of their own, and a forest depends on it
    times = frame["event_time"]
    return TrainingSet(matrix[order], chosen, times.min().tz_localize(UTC), times.max().tz_localize(UTC))


def _sampled(table: DataFrame, n_wanted: int, seed: int, n_rows: int) -> DataFrame:
    """The rows whose ids hash low enough: a fair sample, and the same one each time."""
    if n_rows <= n_wanted:
        return table
    bucket = F.pmod(F.xxhash64("transaction_id", F.lit(seed)), F.lit(_BUCKETS))
    return table.where(bucket < int(_BUCKETS * n_wanted / n_rows))


def _alert_share(bundle: Bundle, rows: TrainingSet, policy: Policy) -> float:
    return float(policy.decide(bundle.score(rows.matrix).risk).is_alert.mean())


def _register(bundle: Bundle, settings: Settings, share: float, alias: str | None) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        save_bundle(bundle, folder)
        metrics = {"alert_share": share, "n_rows": bundle.facts.n_rows}
        params = settings.model.model_dump(include={"n_estimators", "max_samples", "contamination", "seed"})
        return pipeline.registry(settings).register(folder, metrics, params, alias)
