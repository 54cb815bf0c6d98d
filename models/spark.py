"""Scoring in Spark: ``score_block`` over Arrow batches, with the bundle broadcast."""

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

DECIDED_DDL: Final = "risk_score double, risk_level string, recommendation string, is_alert boolean"
EXPLAINED_DDL: Final = (
    "base_score double, reason_codes array<string>, contributions array<double>, reasons array<struct<"
    "code: string, feature: string, value: double, contribution: double, text: string>>"
)


def with_scores(
    payments: DataFrame, bundle: Broadcast[Bundle], policy: Policy, features: FeatureSet, max_reasons: int
) -> DataFrame:
    """Add the risk of each payment, judged by its column ``features``, a struct in catalogue order.

    Adds risk_score, risk_level, recommendation, is_alert, member_scores (a struct), reason_codes and, for alerts only,
    base_score, contributions (in catalogue order; with base_score they add up to risk_score) and reasons.
    """
    names = _member_names(bundle)
    score = score_udf(bundle, policy, features, max_reasons)
    scored = payments.withColumn("scored", score(F.col("features")))
    members = F.struct(*(F.col(f"scored.{MEMBER_PREFIX}{name}").alias(name) for name in names)).alias("member_scores")
    added = [f"scored.{field.name}" for field in _fields(DECIDED_DDL) + _fields(EXPLAINED_DDL)]
    return scored.select(*payments.columns, *added, members)


def score_udf(
    bundle: Broadcast[Bundle], policy: Policy, features: FeatureSet, max_reasons: int
) -> Callable[[Column], Column]:
    """An iterator pandas UDF: a struct of features to the struct ``scored_schema``; SHAP runs for alerts only."""

    def score(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            yield score_block(bundle.value, block.to_numpy(np.float64), policy, features, max_reasons)

    udf: Callable[[Column], Column] = F.pandas_udf(score, scored_schema(_member_names(bundle)))
    return udf


def scored_schema(member_names: tuple[str, ...]) -> T.StructType:
    """What the UDF gives; a member's score stands in a column of its own, as pandas has no structs."""
    members = [T.StructField(f"{MEMBER_PREFIX}{name}", T.DoubleType()) for name in member_names]
    return T.StructType([*_fields(DECIDED_DDL), *members, *_fields(EXPLAINED_DDL)])


def _member_names(bundle: Broadcast[Bundle]) -> tuple[str, ...]:
    return tuple(member.name for member in bundle.value.ensemble.members)


def _fields(ddl: str) -> list[T.StructField]:
    return list(T.StructType.fromDDL(ddl).fields)
