"""Trees as flat arrays, and a compiled walk over them.

All nodes of all trees lie in one array, breadth first, so that two siblings are neighbours and a step is one addition:

    node = child[node] + (x[feature[node]] > threshold[node])

A leaf is its own child with an infinite threshold. Every row takes ``depth`` steps in every tree and rests in its leaf;
with no branch to mispredict, that is several times faster than stopping there.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final, Self

import numpy as np
from numba import njit

from models.detector import Contributions, Vector
from models.errors import BundleRefused
from models.tree_layout import Indices, Inputs, SklearnTree, breadth_first, node_depths
from models.tree_shap import Paths

BLOCK_ROWS: Final = 256  # the rows walked through one tree before the next: they fit the innermost cache with its nodes


@dataclass(frozen=True, eq=False)
class FlatForest:
    """A sum of trees over float32 inputs without NaN; the prediction is the sum of the leaf values.

    ``cover`` counts the training rows that went through a node. Indices are unsigned: numba then compiles no check
    for negative ones into the walk, which more than halves its time.
    """

    roots: Indices
    child: Indices
    feature: Indices
    threshold: Inputs
    value: Vector
    cover: Vector
    depth: int
    n_features: int

    @classmethod
    def from_sklearn(cls, trees: Sequence[SklearnTree], leaf_values: Sequence[Vector], n_features: int) -> Self:
        """``leaf_values`` has a value per node and tree, in the tree's own order; those of inner nodes are ignored."""
        parts = [breadth_first(tree, values) for tree, values in zip(trees, leaf_values, strict=True)]
        sizes = np.array([len(part["child"]) for part in parts])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        stacked = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(
            roots=roots.astype(np.uint32),
            child=(stacked["child"] + np.repeat(roots, sizes)).astype(np.uint32),
            feature=stacked["feature"].astype(np.uint32),
            threshold=stacked["threshold"],
            value=stacked["value"],
            cover=stacked["cover"],
            depth=max(int(node_depths(tree).max()) for tree in trees),
            n_features=n_features,
        )

    def predict(self, inputs: Inputs) -> Vector:
        return _walk(inputs, self.roots, self.child, self.feature, self.threshold, self.value, self.depth)

    def contributions(self, inputs: Inputs) -> Contributions:
        """Exact path-dependent SHAP values."""
        return _paths(self).contributions(inputs)

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            numbers = {"depth": int(arrays["depth"]), "n_features": int(arrays["n_features"])}
            forest = cls(**{field.name: numbers.get(field.name, arrays[field.name]) for field in fields(cls)})
        if not forest._is_sound():
            raise BundleRefused("the trees point outside their own arrays", "train again: no trainer writes such trees")
        return forest

    def _is_sound(self) -> bool:
        """Whether every step of a walk stays inside: compiled code checks no bounds."""
        n = len(self.child)
        bounds = np.append(self.roots.astype(np.int64), n)
        if bounds[0] != 0 or np.any(np.diff(bounds) <= 0) or np.any(self.feature >= self.n_features):
            return False
        end_of_tree = np.repeat(bounds[1:], np.diff(bounds))
        inner = self.child != np.arange(n)
        goes_on = (self.child > np.arange(n)) & (self.child.astype(np.int64) + 1 < end_of_tree)
        return (
            all(len(array) == n for array in (self.feature, self.threshold, self.value, self.cover))
            and bool(np.all(goes_on[inner]) and np.all(np.isposinf(self.threshold[~inner])))
            and bool(np.all(np.isfinite(self.value)) and np.all(self.cover > 0))
        )


def _walk_rows(
    inputs: Inputs, roots: Indices, child: Indices, feature: Indices, threshold: Inputs, value: Vector, depth: int
) -> Vector:
    n_rows = inputs.shape[0]
    total = np.zeros(n_rows)
    nodes = np.empty(BLOCK_ROWS, np.uint32)
    for start in range(0, n_rows, BLOCK_ROWS):
        block = inputs[start : start + BLOCK_ROWS]
        for root in roots:
            nodes[:] = root
            for _ in range(depth):
                for row in range(block.shape[0]):
                    node = nodes[row]
                    nodes[row] = child[node] + np.uint32(block[row, feature[node]] > threshold[node])
            for row in range(block.shape[0]):
                total[start + row] += value[nodes[row]]
    return total


_walk: Callable[..., Vector] = njit(cache=True)(_walk_rows)


@lru_cache(maxsize=4)
def _paths(forest: FlatForest) -> Paths:
    """Laid out once per forest and process, and only in one that explains."""
    return Paths.of(forest)
