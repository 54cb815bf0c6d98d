"""Backfill from the archive: Delta raw -> features by day, a stretch of days replaced in one commit.

Safe to repeat: a stretch is replaced whole. Resumable: a day that was done with the same ingredients is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from math import ceil
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from jobs.days import DAY, Days
from jobs.files import Files
from jobs.rebuild import Recipe, read_raw_table, with_model
from jobs.settings import Settings
from jobs.tables import table_path

FEATURES_TABLE: Final = "features"
DECISION: Final = ("risk_score", "risk_level", "recommendation")
_STRETCH_HORIZONS: Final = 3  # a stretch reads one horizon more than it writes

Say = Callable[[str], None]


def backfill(
    spark: SparkSession, settings: Settings, days: Days, say: Say, *, model: int | None = None, again: bool = False
) -> int:
    """Rebuild the features, and with a ``model`` version the scores, of ``days``; returns how many days were computed.

    Days already done with the same features, model and raw records are left alone unless ``again``.
    """
    recipe, raw_table = Recipe.of(settings), read_raw_table(spark, settings)
    target = table_path(settings.archive.table_dir, FEATURES_TABLE)
    marks = Files(spark, f"{target}-done")
    n_computed = 0
    for stretch in days.stretches(_stretch_days(recipe)):
        ingredients = _ingredients(recipe, raw_table, stretch, model)
        todo = [day for day in stretch if again or marks.read(_mark(day)) != ingredients]
        say(f"{stretch}: {f'computing {len(todo)} days' if todo else 'done before'}")
        if todo:
            chosen = Days(todo[0], todo[-1])
            payments = recipe.features_on(raw_table, chosen)
            rows = (
                recipe.flat(payments)
                if model is None
                else recipe.flat(with_model(payments, settings, model, recipe.features), *DECISION)
            )
            _replace(rows, target, chosen)
            for day in chosen:
                marks.write(_mark(day), ingredients)
            n_computed += len(list(chosen))
    return n_computed


def _stretch_days(recipe: Recipe) -> int:
    return max(1, ceil(_STRETCH_HORIZONS * timedelta(seconds=recipe.features.horizon_s) / DAY))


def _mark(day: date) -> str:
    return f"{day}.json"


def _ingredients(recipe: Recipe, raw_table: DataFrame, days: Days, model: int | None) -> str:
    """What the features of these days are made of; another text means they have to be made again."""
    seen = raw_table.transform(recipe.seen_from, days)
    n_raw, last = seen.agg(F.count("*"), F.max("offset")).first() or (0, None)
    parts = {"features": recipe.features.hash, "rates": recipe.contract.rates.version, "model": model}
    return json.dumps(parts | {"n_raw": n_raw, "last_offset": last})


def _replace(rows: DataFrame, target: str, days: Days) -> None:
    writer = rows.withColumn("date", F.to_date("event_time")).write.format("delta").mode("overwrite")
    condition = f"date >= '{days.first}' AND date <= '{days.last}'"
    writer.partitionBy("date").option("mergeSchema", "true").option("replaceWhere", condition).save(target)
