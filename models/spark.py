"""Scoring of any DataFrame with features: ``score_block`` in an iterator pandas UDF, with the bundle broadcast.

An explanation leaves Python as JSON text. A nested column of a pandas UDF costs a Python call per row, whatever is in
it; a text costs none where there is none, and only alerts have one.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pandas as pd
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everyone uses for it
from pyspark.sql import types as T  # noqa: N812

from features.catalogue import FeatureSet
from models.bundle import Bundle
from models.policy import Policy
from models.scoring import MEMBER_PREFIX, score_block

DECIDED: Final = ("risk_score", "risk_level", "recommendation", "is_alert")
EXPLAINED_DDL: Final = (
    "base_score double, contributions array<double>, reasons array<struct<"
    "code: string, feature: string, value: double, contribution: double, text: string>>"
)


def with_scores(
    payments: DataFrame, bundle: Broadcast[Bundle], policy: Policy, features: FeatureSet, max_reasons: int
) -> DataFrame:
    """Add the risk of each payment, judged by its columns ``features``, a struct in catalogue order, ``reached_limit``.

    Adds risk_score, risk_level, recommendation, is_alert, member_scores (a struct), reason_codes and, for alerts only,
    base_score, contributions (in catalogue order; with base_score they add up to risk_score) and reasons.
    """
    score = score_udf(bundle, policy, features, max_reasons)
    members = [F.col(f"scored.{MEMBER_PREFIX}{name}").alias(name) for name in _member_names(bundle)]
    explained = F.from_json("scored.explanation", EXPLAINED_DDL)
    codes = F.transform("explained.reasons", lambda reason: reason["code"])
    return (
        payments.withColumn("scored", score(F.col("features"), F.col("reached_limit")))
        .withColumn("explained", explained)
        .select(
            *payments.columns,
            *(f"scored.{name}" for name in DECIDED),
            F.struct(*members).alias("member_scores"),
            F.coalesce(codes, F.array().cast("array<string>")).alias("reason_codes"),
            "explained.*",
        )
    )


def score_udf(
    bundle: Broadcast[Bundle], policy: Policy, features: FeatureSet, max_reasons: int
) -> Callable[[Column, Column], Column]:
    """An iterator pandas UDF from a struct of features and the limit reached to the struct of ``scored_schema``."""

    def score(blocks: Iterator[tuple[pd.DataFrame, pd.Series]]) -> Iterator[pd.DataFrame]:
        for block, reached_limit in blocks:
            matrix, reached = block.to_numpy(np.float64), reached_limit.to_numpy(np.float64)
            scored = score_block(bundle.value, matrix, policy, features, max_reasons, reached)
            alerts = scored["is_alert"]
            scored.loc[alerts, "explanation"] = scored.loc[alerts, "explanation"].map(json.dumps)
            yield scored

    udf: Callable[[Column, Column], Column] = F.pandas_udf(score, scored_schema(_member_names(bundle)))
    return udf


def scored_schema(member_names: tuple[str, ...]) -> T.StructType:
    """What the UDF gives: ``score_block``, with the explanation as JSON text."""
    schema = T.StructType().add("risk_score", "double").add("risk_level", "string").add("recommendation", "string")
    schema.add("is_alert", "boolean")
    for name in member_names:
        schema.add(f"{MEMBER_PREFIX}{name}", "double")
    return schema.add("explanation", "string")


def _member_names(bundle: Broadcast[Bundle]) -> tuple[str, ...]:
    return tuple(member.name for member in bundle.value.ensemble.members)
