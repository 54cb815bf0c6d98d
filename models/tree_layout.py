"""How the nodes of a grown tree are laid out for the walk of ``flat_forest``: breadth first, siblings side by side."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.detector import Vector

Inputs = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint32]


class SklearnTree(Protocol):
    """The arrays of a scikit-learn tree; a child of -1 marks a leaf."""

    children_left: npt.NDArray[np.int64]
    children_right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    n_node_samples: npt.NDArray[np.int64]


def breadth_first(tree: SklearnTree, values: Vector) -> dict[str, npt.NDArray[Any]]:
    """One tree breadth first: the j-th inner node of that order has its children at 1 + 2j and 2 + 2j."""
    order = np.concatenate(_levels(tree))
    is_leaf = tree.children_left[order] < 0
    child = np.arange(len(order))
    child[~is_leaf] = 1 + 2 * np.arange(np.count_nonzero(~is_leaf))
    return {
        "child": child,
        "feature": np.where(is_leaf, 0, tree.feature[order]),
        "threshold": np.where(is_leaf, np.float32(np.inf), _float32_below(tree.threshold[order])),
        "value": np.where(is_leaf, values[order], 0.0),
        "cover": tree.n_node_samples[order].astype(np.float64),
    }


def node_depths(tree: SklearnTree) -> npt.NDArray[np.int64]:
    """How many steps from the root each node is, in the tree's own order."""
    depths = np.empty(len(tree.feature), np.int64)
    for depth, level in enumerate(_levels(tree)):
        depths[level] = depth
    return depths


def _levels(tree: SklearnTree) -> list[npt.NDArray[np.int64]]:
    levels = [np.zeros(1, np.int64)]
    while len(inner := levels[-1][tree.children_left[levels[-1]] >= 0]):
        levels.append(np.column_stack([tree.children_left[inner], tree.children_right[inner]]).ravel())
    return levels


def _float32_below(thresholds: Vector) -> Inputs:
    """The largest float32 not above each threshold: float32 inputs compare with it as with the threshold itself."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
