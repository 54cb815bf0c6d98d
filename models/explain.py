"""Why: the features that raised a risk score, in an analyst's words."""

from __future__ import annotations

import math
from typing import Final, TypedDict

import numpy as np

from features.catalogue import FeatureSet
from models.detector import Matrix

USER_TOO_ACTIVE: Final = "USER_TOO_ACTIVE"


class Reason(TypedDict):
    """One feature that raised the score. ``value`` is None when the feature is missing.

    A rule that decides by itself is a reason without a feature, and contributes nothing to the score.
    """

    code: str
    feature: str | None
    value: float | None
    contribution: float
    text: str


def reasons(values: Matrix, matrix: Matrix, features: FeatureSet, max_reasons: int) -> list[list[Reason]]:
    """For each row its largest positive contributions, largest first; ties in catalogue order.

    ``values`` are the contributions to the risk score, ``matrix`` the features they belong to: the same shape.
    """
    ranked = np.argsort(-values, axis=1, kind="stable")[:, :max_reasons]
    return [
        [_reason(features.names[i], row[i], parts[i], features) for i in best if parts[i] > 0]
        for best, parts, row in zip(ranked.tolist(), values.tolist(), matrix.tolist(), strict=True)
    ]


def limit_reason(limit: float) -> Reason:
    """Why the last payment that is taken of a user in an hour is an alert."""
    text = f"{limit:,.0f} payments in one hour (UTC) are the limit; this user's further ones in it are refused"
    return {"code": USER_TOO_ACTIVE, "feature": None, "value": limit, "contribution": 0.0, "text": text}


def _reason(name: str, value: float, contribution: float, features: FeatureSet) -> Reason:
    return {
        "code": name.upper(),
        "feature": name,
        "value": None if math.isnan(value) else value,
        "contribution": contribution,
        "text": features.spec(name).describe(value),
    }
