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
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from models.detector import Contributions, Matrix, Vector
from models.tree_layout import Indices, Inputs

if TYPE_CHECKING:
    from models.flat_forest import FlatForest

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
    """Gauss-Legendre points and weights on [0, 1], exact for a path of ``longest`` features."""
    n_points = max(1, -(-longest // 2))  # n points are exact up to degree 2 n - 1; the degree is one less than the path
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return (points + 1) / 2, weights / 2


def _divide(
    value: float, holds: int, share: Vector, points: Vector, weights: Vector, products: Vector, parts: Vector
) -> None:
    """Fill ``parts`` with what a leaf gives to each feature of its path; bit k of ``holds`` is o_k."""
    for p in range(len(points)):
        products[p] = weights[p] * value
    for k in range(len(share)):
        gain = np.float64((holds >> k) & 1) - share[k]
        for p in range(len(points)):
            products[p] *= share[k] + points[p] * gain
    for k in range(len(share)):
        gain = np.float64((holds >> k) & 1) - share[k]
        others = 0.0
        for p in range(len(points)):
            others += products[p] / (share[k] + points[p] * gain)
        parts[k] = gain * others


_divided: Callable[..., None] = njit(inline="always", error_model="numpy")(_divide)


def _shap_rows(
    inputs: Inputs, n_features: int, starts: Indices, feature: Indices, low: Inputs, high: Inputs, share: Vector,
    value: Vector, points: Vector, weights: Vector,
) -> Matrix:
    """What a leaf gives hangs on which of its splits hold, and on nothing else: worked out once for all rows alike."""
    n_rows, longest = inputs.shape[0], int(np.max(starts[1:] - starts[:-1]))
    shap = np.zeros((n_rows, n_features))
    known, parts = np.empty(n_rows, np.int64), np.empty((n_rows, longest))
    products = np.empty(len(points))
    for leaf in range(len(value)):
        first, length, n_known = np.int64(starts[leaf]), np.int64(starts[leaf + 1]) - np.int64(starts[leaf]), 0
        for row in range(n_rows):
            holds = np.int64(0)
            for k in range(length):
                x = inputs[row, feature[first + k]]
                holds |= np.int64((low[first + k] < x) & (x <= high[first + k])) << k
            at = 0
            while at < n_known and known[at] != holds:
                at += 1
            if at == n_known:
                n_known += 1
                known[at] = holds
                _divided(value[leaf], holds, share[first : first + length], points, weights, products, parts[at])
            for k in range(length):
                shap[row, feature[first + k]] += parts[at, k]
    return shap


_shap: Callable[..., npt.NDArray[np.float64]] = njit(cache=True, error_model="numpy")(_shap_rows)
