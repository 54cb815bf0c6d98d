"""Exact path-dependent SHAP values of a flat forest: those of ``shap.TreeExplainer``, in a fraction of its time.

A leaf is a game that pays its value to a row that keeps to its path. For each feature of the path the row satisfies all
splits (o = 1) or not (o = 0); where the feature is not known, the share z of the training rows gets through that did
(Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9). With each feature known at random, with probability t, one lets
through o t + z (1 - t), and the Shapley value is the mean gain over t (Owen 1972, doi:10.1287/mnsc.18.5.64):

    phi_j = value * (o_j - z_j) * integral over t in [0, 1] of  product over k != j of  (z_k + t (o_k - z_k))

The integrand is a polynomial, so a few Gauss-Legendre points give the integral exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from models.detector import Contributions, Matrix, Vector
from models.tree_layout import Indices, Inputs

if TYPE_CHECKING:
    from models.flat_forest import FlatForest

LANES: Final = 4  # quadrature points worked on at once, as many as one vector register holds

Path = dict[int, tuple[np.float32, np.float32, float]]  # by feature: low, high and share, as in Paths


@dataclass(frozen=True, eq=False)
class Paths:
    """The paths to all leaves, each feature of a path once: a row satisfies its splits if ``low < x <= high``.

    ``starts`` has the first entry of each leaf and, at the end, the number of entries; ``base`` is the prediction when
    no feature is known, every leaf by its share of the training rows.
    """

    starts: Indices
    feature: Indices
    low: Inputs
    high: Inputs
    share: Vector
    value: Vector
    base: float
    n_features: int

    @classmethod
    def of(cls, forest: FlatForest) -> Paths:
        leaves = _leaves(forest)
        entries = [(feature, *entry) for _, path in leaves for feature, entry in path.items()]
        feature, low, high, share = zip(*entries, strict=True) if entries else ((), (), (), ())
        return cls(
            starts=np.cumsum([0, *(len(path) for _, path in leaves)]).astype(np.uint32),
            feature=np.array(feature, np.uint32),
            low=np.array(low, np.float32),
            high=np.array(high, np.float32),
            share=np.array(share, np.float64),
            value=np.array([value for value, _ in leaves]),
            base=sum(value * prod(share for _, _, share in path.values()) for value, path in leaves),
            n_features=forest.n_features,
        )

    def contributions(self, inputs: Inputs) -> Contributions:
        longest = int(np.diff(self.starts.astype(np.int64)).max())
        entries = (self.starts, self.feature, self.low, self.high, self.share, self.value)
        return Contributions(self.base, _shap(inputs, self.n_features, *entries, *_quadrature(longest)))


def _leaves(forest: FlatForest) -> list[tuple[float, Path]]:
    """The value of every leaf with the path to it; parents come before their children in a flat forest."""
    leaves: list[tuple[float, Path]] = []
    paths: dict[int, Path] = {int(root): {} for root in forest.roots}
    for node, child in enumerate(forest.child.tolist()):
        path = paths.pop(node)
        if child == node:
            leaves.append((float(forest.value[node]), path))
            continue
        feature, threshold = int(forest.feature[node]), forest.threshold[node]
        low, high, share = path.get(feature, (np.float32(-np.inf), np.float32(np.inf), 1.0))
        left, right = (share * forest.cover[child : child + 2] / forest.cover[node]).tolist()
        paths[child] = path | {feature: (low, min(high, threshold), left)}
        paths[child + 1] = path | {feature: (max(low, threshold), high, right)}
    return leaves


def _quadrature(longest: int) -> tuple[Vector, Vector]:
    """Gauss-Legendre points and weights on [0, 1], exact for a path of ``longest`` features; idle ones weigh 0."""
    n_points = max(1, -(-longest // 2))  # n points are exact up to degree 2 n - 1; the degree is one less than the path
    points, weights = np.polynomial.legendre.leggauss(n_points)
    idle = (0, -n_points % LANES)
    return np.pad((points + 1) / 2, idle), np.pad(weights / 2, idle)


def _shap_rows(
    inputs: Inputs, n_features: int, starts: Indices, feature: Indices, low: Inputs, high: Inputs, share: Vector,
    value: Vector, points: Vector, weights: Vector,
) -> Matrix:
    shap = np.zeros((inputs.shape[0], n_features))
    for row in range(inputs.shape[0]):
        for first in range(0, len(points), LANES):
            t0, t1, t2, t3 = points[first], points[first + 1], points[first + 2], points[first + 3]
            for leaf in range(len(value)):
                a0, a1 = weights[first] * value[leaf], weights[first + 1] * value[leaf]
                a2, a3 = weights[first + 2] * value[leaf], weights[first + 3] * value[leaf]
                for entry in range(starts[leaf], starts[leaf + 1]):
                    x, z = inputs[row, feature[entry]], share[entry]
                    gain = np.float64((low[entry] < x) & (x <= high[entry])) - z
                    a0, a1 = a0 * (z + t0 * gain), a1 * (z + t1 * gain)
                    a2, a3 = a2 * (z + t2 * gain), a3 * (z + t3 * gain)
                for entry in range(starts[leaf], starts[leaf + 1]):
                    x, z = inputs[row, feature[entry]], share[entry]
                    gain = np.float64((low[entry] < x) & (x <= high[entry])) - z
                    others = a0 / (z + t0 * gain) + a1 / (z + t1 * gain) + a2 / (z + t2 * gain) + a3 / (z + t3 * gain)
                    shap[row, feature[entry]] += gain * others
    return shap


_shap: Callable[..., npt.NDArray[np.float64]] = njit(cache=True, error_model="numpy")(_shap_rows)
