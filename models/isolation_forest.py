"""Isolation forest: what few random cuts separate from the rest is suspicious.

Liu, Ting, Zhou: "Isolation Forest", ICDM 2008, doi:10.1109/ICDM.2008.17. scikit-learn grows the trees; here they are
kept as flat arrays, walked by compiled code, and explained by exact tree SHAP.

The raw score is ``-E[h(x)] / c(n)``: the mean path length over the trees, relative to that of a random search tree of
``n`` rows. The anomaly score of the paper is ``2 ** raw``; the exponent orders rows alike and, unlike the power, is a
sum over trees, so contributions add up to it exactly.

A missing value is unsurprising: it is replaced by the median of that feature in the training rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numba import njit

from models.detector import Contributions, Matrix, Vector
from models.errors import NotTrainable
from models.flat_forest import FlatForest
from models.tree_layout import Inputs, node_depths

LARGEST: Final = float(np.finfo(np.float32).max)
TREES_FILE: Final = "trees.npz"
MEDIANS_FILE: Final = "medians.npy"


@dataclass(frozen=True, eq=False)
class IsolationForest:
    """A trained isolation forest. ``medians`` holds one number per feature."""

    kind: ClassVar[str] = "isolation_forest"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "numba")

    forest: FlatForest
    medians: Vector

    @property
    def n_features(self) -> int:
        return self.forest.n_features

    @classmethod
    def fit(cls, matrix: Matrix, seed: int, n_estimators: int = 150, max_samples: int = 256) -> Self:
        """Grow the trees; fewer rows than ``max_samples`` are all used by every tree."""
        from sklearn.ensemble import IsolationForest as SklearnForest

        if len(matrix) < 2:
            raise NotTrainable(f"an isolation forest cannot be grown from {len(matrix)} rows", "train on more payments")
        medians = _medians(matrix)
        n_samples = min(max_samples, len(matrix))
        grown = SklearnForest(n_estimators=n_estimators, max_samples=n_samples, random_state=seed)
        grown.fit(_as_inputs(matrix, medians))
        trees = [estimator.tree_ for estimator in grown.estimators_]
        scale = -1.0 / (n_estimators * average_path_length(np.array([n_samples]))[0])
        values = [scale * (node_depths(tree) + average_path_length(tree.n_node_samples)) for tree in trees]
        return cls(FlatForest.from_sklearn(trees, values, matrix.shape[1]), medians)

    def raw_scores(self, matrix: Matrix) -> Vector:
        return self.forest.predict(_as_inputs(matrix, self.medians))

    def contributions(self, matrix: Matrix) -> Contributions:
        return self.forest.contributions(_as_inputs(matrix, self.medians))

    def to_files(self) -> dict[str, bytes]:
        buffer = io.BytesIO()
        np.save(buffer, self.medians, allow_pickle=False)
        return {TREES_FILE: self.forest.to_bytes(), MEDIANS_FILE: buffer.getvalue()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        medians = np.load(io.BytesIO(files[MEDIANS_FILE]), allow_pickle=False)
        return cls(FlatForest.from_bytes(files[TREES_FILE]), medians)


def average_path_length(n_rows: Vector) -> Vector:
    """c(n): the mean depth of an unsuccessful search in a binary search tree of n rows (equation 1 of the paper)."""
    n = np.maximum(np.asarray(n_rows, np.float64), 2.0)
    longer = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.select([n_rows <= 1, n_rows == 2], [0.0, 1.0], longer)


def _medians(matrix: Matrix) -> Vector:
    """The median of the known values of each feature; 0 for a feature that no row knows."""
    medians = np.zeros(matrix.shape[1])
    known = ~np.isnan(matrix).all(axis=0)
    medians[known] = np.nanmedian(matrix[:, known], axis=0)
    return medians


def _impute(matrix: Matrix, medians: Vector) -> Inputs:
    """The matrix in float32, as trees compare it: missing values imputed, infinite ones the largest there is."""
    inputs = np.empty(matrix.shape, np.float32)
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            value = matrix[row, column]
            known = medians[column] if np.isnan(value) else value
            inputs[row, column] = np.float32(min(max(known, -LARGEST), LARGEST))
    return inputs


_as_inputs: Callable[[Matrix, Vector], Inputs] = njit(cache=True)(_impute)
