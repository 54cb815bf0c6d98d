"""A block of payments scored, decided and, where an analyst will look, explained."""

from __future__ import annotations

from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import FeatureSet
from models.bundle import Bundle
from models.detector import Matrix, Vector
from models.explain import Reason, limit_reason, reasons
from models.policy import Policy

MEMBER_PREFIX: Final = "member_"  # the score of a member stands in the column of this prefix and its name


class Explanation(TypedDict):
    """``base_score`` and the sum of ``contributions``, which are in catalogue order, give the risk score."""

    base_score: float
    contributions: list[float]
    reasons: list[Reason]


def score_block(
    bundle: Bundle,
    matrix: Matrix,
    policy: Policy,
    features: FeatureSet,
    max_reasons: int,
    reached_limit: Vector | None = None,
) -> pd.DataFrame:
    """One row per payment; ``explanation`` is None unless it is an alert, ``reached_limit`` is for the policy."""
    scored = bundle.score(matrix)
    decided = policy.decide(scored.risk, reached_limit)
    alerts = np.flatnonzero(decided.is_alert)
    explanation = np.full(len(matrix), None, dtype=object)
    for row, explained in zip(alerts, _explain(bundle, matrix[alerts], features, max_reasons), strict=True):
        if reached_limit is not None and not np.isnan(reached_limit[row]):
            explained["reasons"] = [limit_reason(float(reached_limit[row])), *explained["reasons"]][:max_reasons]
        explanation[row] = explained
    columns: dict[str, npt.NDArray[np.generic]] = {
        "risk_score": scored.risk,
        "risk_level": decided.risk_level,
        "recommendation": decided.recommendation,
        "is_alert": decided.is_alert,
        **{f"{MEMBER_PREFIX}{name}": risk for name, risk in scored.members.items()},
        "explanation": explanation,
    }
    return pd.DataFrame(columns)


def _explain(bundle: Bundle, alerts: Matrix, features: FeatureSet, max_reasons: int) -> list[Explanation]:
    """Tree SHAP costs about a thousand times what the score does, so it sees alerts only."""
    if not len(alerts):
        return []
    parts = bundle.explain(alerts)
    found = reasons(parts.values, alerts, features, max_reasons)
    return [
        {"base_score": parts.base, "contributions": contributions, "reasons": why}
        for contributions, why in zip(parts.values.tolist(), found, strict=True)
    ]
