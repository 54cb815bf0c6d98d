from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.errors import PolicyInvalid, ScoreInvalid
from models.policy import Policy

POLICY = Policy(medium=0.5, high=0.7, critical=0.9, alert_threshold=0.6)


@pytest.mark.parametrize(("risk", "level", "recommendation", "is_alert"), [
    (0.0, "LOW", "APPROVE", False),
    (np.nextafter(0.5, 0), "LOW", "APPROVE", False),
    (0.5, "MEDIUM", "APPROVE", False),
    (np.nextafter(0.6, 0), "MEDIUM", "APPROVE", False),
    (0.6, "MEDIUM", "APPROVE", True),
    (np.nextafter(0.7, 0), "MEDIUM", "APPROVE", True),
    (0.7, "HIGH", "REVIEW", True),
    (np.nextafter(0.9, 0), "HIGH", "REVIEW", True),
    (0.9, "CRITICAL", "BLOCK", True),
    (1.0, "CRITICAL", "BLOCK", True),
])
def test_a_threshold_belongs_to_the_level_above_it(
    risk: float, level: str, recommendation: str, is_alert: bool
) -> None:
    decided = POLICY.decide(np.array([risk]))
    assert (*decided.risk_level, *decided.recommendation, *decided.is_alert) == (level, recommendation, is_alert)


def test_rows_are_decided_in_their_order() -> None:
    assert list(POLICY.decide(np.array([0.95, 0.1, 0.75])).recommendation) == ["BLOCK", "APPROVE", "REVIEW"]


@pytest.mark.parametrize("risk", [0.0, 0.55, 0.95])
def test_a_payment_that_reached_the_limit_on_its_user_is_a_critical_alert_whatever_its_risk(risk: float) -> None:
    decided = POLICY.decide(np.array([risk, 0.1]), reached_limit=np.array([1_000.0, np.nan]))
    assert list(decided.risk_level) == ["CRITICAL", "LOW"]
    assert list(decided.recommendation) == ["BLOCK", "APPROVE"]
    assert list(decided.is_alert) == [True, False]


@pytest.mark.parametrize("invalid", [np.nan, -0.1, 1.0000001, np.inf])
def test_a_score_that_is_no_risk_raises_rather_than_passing_as_low(invalid: float) -> None:
    with pytest.raises(ScoreInvalid, match="1 of 2"):
        POLICY.decide(np.array([0.2, invalid]))


@pytest.mark.parametrize("thresholds", [
    {"medium": 0.0}, {"medium": 0.7}, {"high": 0.9}, {"critical": 1.0}, {"critical": float("nan")},
    {"alert_threshold": 0.0}, {"alert_threshold": 1.1},
])
def test_thresholds_that_contradict_each_other_are_refused(thresholds: dict[str, float]) -> None:
    with pytest.raises(PolicyInvalid):
        replace(POLICY, **thresholds)


def test_the_hash_changes_with_every_threshold_and_only_then() -> None:
    others = [replace(POLICY, medium=0.4), replace(POLICY, high=0.8), replace(POLICY, critical=0.95),
              replace(POLICY, alert_threshold=0.7)]
    assert len({POLICY.hash, *(other.hash for other in others)}) == 5
    assert replace(POLICY).hash == POLICY.hash
