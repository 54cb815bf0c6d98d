"""A block of payments scored, decided and, where an analyst will look, explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import FeatureSet
from models.bundle import Bundle
from models.detector import Matrix
from models.explain import Reason, reasons
from models.policy import Policy

MEMBER_PREFIX: Final = "member_"  # the score of a member stands in the column of this prefix and its name

Objects = npt.NDArray[np.object_]


def score_block(
    bundle: Bundle, matrix: Matrix, policy: Policy, features: FeatureSet, max_reasons: int
) -> pd.DataFrame:
    """One row per payment. ``base_score``, ``contributions`` and ``reasons`` are missing unless it is an alert."""
    scored = bundle.score(matrix)
    decided = policy.decide(scored.risk)
    columns = {
        "risk_score": scored.risk,
        "risk_level": decided.risk_level,
        "recommendation": decided.recommendation,
        "is_alert": decided.is_alert,
        **{f"{MEMBER_PREFIX}{name}": risk for name, risk in scored.members.items()},
    }
    alerts = np.flatnonzero(decided.is_alert)
    return pd.DataFrame(columns | _explained(bundle, matrix, alerts, features, max_reasons))


def _explained(
    bundle: Bundle, matrix: Matrix, alerts: npt.NDArray[np.intp], features: FeatureSet, max_reasons: int
) -> dict[str, npt.NDArray[np.float64] | Objects]:
    """The columns only alerts fill: tree SHAP costs about a thousand times what the score does."""
    base_score = np.full(len(matrix), np.nan)
    contributions: Sequence[npt.NDArray[np.float64]] = []
    texts: Sequence[list[Reason]] = []
    if len(alerts):
        parts = bundle.explain(matrix[alerts])
        base_score[alerts] = parts.base
        contributions, texts = list(parts.values), reasons(parts.values, matrix[alerts], features, max_reasons)
    codes = [[reason["code"] for reason in row] for row in texts]
    return {
        "base_score": base_score,
        "reason_codes": _placed(codes, alerts, len(matrix), blank=[]),
        "contributions": _placed(contributions, alerts, len(matrix), blank=None),
        "reasons": _placed(texts, alerts, len(matrix), blank=None),
    }


def _placed(values: Sequence[object], rows: npt.NDArray[np.intp], n_rows: int, blank: object) -> Objects:
    """``values`` in their rows of a column that is ``blank`` elsewhere."""
    column = np.empty(n_rows, object)
    column.fill(blank)
    for row, value in zip(rows, values, strict=True):
        column[row] = value
    return column
