"""Made-up payments as feature matrices: many ordinary ones, and a few that any detector should find."""

from __future__ import annotations

import numpy as np

from features.catalogue import FeatureSet
from models.detector import Matrix

FEATURES = FeatureSet()
SHARE_MISSING = 0.1


def ordinary(n_rows: int, seed: int = 1, n_features: int = len(FEATURES.names)) -> Matrix:
    """Skewed amounts, small counts and yes-or-no columns in turn; one value in ten is missing."""
    rng = np.random.default_rng(seed)
    matrix = rng.lognormal(1.0, 0.8, (n_rows, n_features))
    matrix[:, 1::3] = rng.poisson(2.0, matrix[:, 1::3].shape)
    matrix[:, 2::3] = rng.random(matrix[:, 2::3].shape) < 0.1
    matrix[rng.random(matrix.shape) < SHARE_MISSING] = np.nan
    return matrix


def planted(n_rows: int, seed: int = 2, n_features: int = len(FEATURES.names)) -> Matrix:
    """Payments with a third of their amounts and counts far above anything ordinary."""
    rng = np.random.default_rng(seed)
    matrix = ordinary(n_rows, seed, n_features)
    odd = rng.random(matrix.shape) < 1 / 3
    odd[:, 2::3] = False
    matrix[odd] = 60.0 + rng.random(int(odd.sum()))
    return matrix
