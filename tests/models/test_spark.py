"""The UDF gives in Spark what ``score_block`` gives without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from models.bundle import Bundle
from models.policy import Policy
from models.scoring import score_block
from tests.models.traffic import FEATURES, ordinary, planted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

ROWS = np.vstack([ordinary(300, seed=9), planted(10)])
REACHED_AT = 7  # an ordinary payment, but the last that is taken of its user


@pytest.fixture(scope="module")
def scored(spark: SparkSession, bundle: Bundle) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812

    from models.spark import with_scores

    columns = pd.DataFrame(ROWS, columns=list(FEATURES.names)).assign(at=range(len(ROWS)))
    known = [F.nanvl(F.col(name), F.lit(None)).alias(name) for name in FEATURES.names]  # null, as the kernel gives
    reached_limit = F.when(F.col("at") == REACHED_AT, 1_000).alias("reached_limit")
    payments = spark.createDataFrame(columns).select("at", F.struct(*known).alias("features"), reached_limit)
    return with_scores(payments.repartition(3), spark.sparkContext.broadcast(bundle), Policy(), FEATURES, 3)


@pytest.fixture(scope="module")
def rows(scored: DataFrame) -> pd.DataFrame:
    return scored.drop("features").toPandas().sort_values("at", ignore_index=True)


@pytest.fixture(scope="module")
def expected(bundle: Bundle) -> pd.DataFrame:
    reached_limit = np.full(len(ROWS), np.nan)
    reached_limit[REACHED_AT] = 1_000
    return score_block(bundle, ROWS, Policy(), FEATURES, 3, reached_limit)


def test_spark_scores_and_decides_equal_to_the_bit(rows: pd.DataFrame, expected: pd.DataFrame) -> None:
    decided = ["risk_score", "risk_level", "recommendation", "is_alert"]
    pd.testing.assert_frame_equal(rows[decided], expected[decided], check_exact=True)
    assert [members["forest"] for members in rows["member_scores"]] == list(expected["member_forest"])


def test_spark_explains_alerts_as_plain_code_does(rows: pd.DataFrame, expected: pd.DataFrame) -> None:
    alerts = expected["explanation"].dropna()
    assert len(alerts) > 0
    for at, explanation in alerts.items():
        assert rows["base_score"][at] == explanation["base_score"]
        assert list(rows["contributions"][at]) == explanation["contributions"]
        assert list(rows["reasons"][at]) == explanation["reasons"]
        assert list(rows["reason_codes"][at]) == [reason["code"] for reason in explanation["reasons"]]


def test_what_is_no_alert_has_no_reasons_in_spark(rows: pd.DataFrame) -> None:
    others = rows[~rows["is_alert"]]
    assert others["reason_codes"].map(len).eq(0).all()
    assert others[["base_score", "contributions", "reasons"]].isna().all(axis=None)


def test_the_model_runs_once_however_many_of_its_columns_are_read(scored: DataFrame) -> None:
    plan = scored._jdf.queryExecution().executedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1
