"""Why: the features that raised a risk score, in an analyst's words."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np

from features.catalogue import FeatureSet
from models.detector import Matrix


class Reason(TypedDict):
    """One feature that raised the score. ``value`` is None when the feature is missing."""

    code: str
    feature: str
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


def _reason(name: str, value: float, contribution: float, features: FeatureSet) -> Reason:
    return {
        "code": name.upper(),
        "feature": name,
        "value": None if math.isnan(value) else value,
        "contribution": contribution,
        "text": features.spec(name).describe(value),
    }
