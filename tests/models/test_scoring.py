from __future__ import annotations

import sys
from subprocess import run

import numpy as np
import pandas as pd
import pytest

from models.bundle import Bundle
from models.policy import Policy
from models.scoring import score_block
from tests.models.traffic import FEATURES, ordinary, planted

ROWS = np.vstack([ordinary(300, seed=9), planted(10)])


@pytest.fixture
def block(bundle: Bundle) -> pd.DataFrame:
    return score_block(bundle, ROWS, Policy(), FEATURES, max_reasons=3)


def test_every_row_has_a_score_a_decision_and_its_members_scores(bundle: Bundle, block: pd.DataFrame) -> None:
    np.testing.assert_array_equal(block["risk_score"], bundle.score(ROWS).risk)
    np.testing.assert_array_equal(block["member_forest"], block["risk_score"])
    assert list(block["is_alert"]) == [level in ("HIGH", "CRITICAL") for level in block["risk_level"]]


def test_alerts_and_only_alerts_are_explained(block: pd.DataFrame) -> None:
    assert 0 < block["is_alert"].sum() < len(block)
    assert (block["explanation"].notna() == block["is_alert"]).all()


def test_base_and_contributions_of_an_alert_add_up_to_its_risk(block: pd.DataFrame) -> None:
    for _, alert in block[block["is_alert"]].iterrows():
        total = alert["explanation"]["base_score"] + sum(alert["explanation"]["contributions"])
        assert total == pytest.approx(alert["risk_score"], abs=1e-9)


def test_reasons_belong_to_their_own_row(block: pd.DataFrame) -> None:
    for at, explanation in block["explanation"].dropna().items():
        assert 1 <= len(explanation["reasons"]) <= 3
        for reason in explanation["reasons"]:
            column = FEATURES.names.index(reason["feature"])
            assert reason["contribution"] == explanation["contributions"][column]
            assert reason["value"] == (None if np.isnan(ROWS[at, column]) else ROWS[at, column])


def test_a_block_without_alerts_or_without_rows_has_the_same_columns(bundle: Bundle, block: pd.DataFrame) -> None:
    quiet = score_block(bundle, ROWS, Policy(alert_threshold=1.0), FEATURES, max_reasons=3)
    empty = score_block(bundle, ROWS[:0], Policy(), FEATURES, max_reasons=3)
    assert list(quiet.columns) == list(empty.columns) == list(block.columns)
    assert quiet["explanation"].isna().all()


def test_who_reached_the_limit_is_told_so_first_and_his_contributions_still_add_up(bundle: Bundle) -> None:
    reached = np.where(np.arange(len(ROWS)) == 5, 1_000, np.nan)
    alert = score_block(bundle, ROWS, Policy(), FEATURES, max_reasons=3, reached_limit=reached).loc[5]
    first, *others = alert["explanation"]["reasons"]
    assert (alert["risk_level"], alert["risk_score"]) == ("CRITICAL", bundle.score(ROWS).risk[5])
    assert (first["code"], first["feature"], first["contribution"]) == ("USER_TOO_ACTIVE", None, 0.0)
    assert first["text"].startswith("1,000 payments in one hour")
    assert len(others) <= 2
    total = alert["explanation"]["base_score"] + sum(alert["explanation"]["contributions"])
    assert total == pytest.approx(alert["risk_score"], abs=1e-9)


def test_models_start_without_spark_mlflow_shap_or_scikit_learn() -> None:
    program = "import sys, models.scoring, models.isolation_forest; print(*sys.modules)"
    loaded = run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyspark", "mlflow", "shap", "sklearn"} & set(loaded)
