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

from jobs import pipeline
from jobs.days import DAY, Days
from jobs.files import Files
from jobs.rebuild import Recipe, read_raw_table, with_model
from jobs.settings import Settings
from jobs.tables import table_path

FEATURES_TABLE: Final = "features"
DECISION: Final = ("risk_score", "risk_level", "recommendation")

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
        ingredients = _ingredients(settings, recipe, raw_table, stretch, model)
        todo = [day for day in stretch if day in days and (again or marks.read(_mark(day)) != ingredients)]
        say(f"{stretch}: {f'computing {len(todo)} days' if todo else 'done before'}")
        if todo:
            chosen = Days(todo[0], todo[-1])
            for day in chosen:
                marks.delete(_mark(day))
            _replace(_rows(settings, recipe, raw_table, chosen, model), target, chosen)
            for day in chosen:
                marks.write(_mark(day), ingredients)
            n_computed += len(list(chosen))
    return n_computed


def _rows(settings: Settings, recipe: Recipe, raw_table: DataFrame, days: Days, model: int | None) -> DataFrame:
    payments = recipe.features_on(raw_table, days)
    if model is None:
        return recipe.flat(payments)
    return recipe.flat(with_model(payments, settings, model, recipe.features), *DECISION)


def _stretch_days(recipe: Recipe) -> int:
    """As many days as a horizon has: half of what is read is then written."""
    return max(1, ceil(timedelta(seconds=recipe.features.horizon_s) / DAY))


def _mark(day: date) -> str:
    return f"{day}.json"


def _ingredients(settings: Settings, recipe: Recipe, raw_table: DataFrame, days: Days, model: int | None) -> str:
    """What the features of these days are made of; another text means they have to be made again."""
    n_raw, last = raw_table.transform(recipe.seen_from, days).agg(F.count("*"), F.max("offset")).first() or (0, None)
    parts = {
        "features": recipe.features.hash,
        "contract": recipe.contract.version,
        "model": model,
        "policy": None if model is None else pipeline.policy(settings).hash,
        "n_raw": n_raw,
        "last_offset": last,
    }
    return json.dumps(parts)


def _replace(rows: DataFrame, target: str, days: Days) -> None:
    writer = rows.withColumn("date", F.to_date("event_time")).write.format("delta").mode("overwrite")
    condition = f"date >= '{days.first}' AND date <= '{days.last}'"
    writer.partitionBy("date").option("mergeSchema", "true").option("replaceWhere", condition).save(target)
