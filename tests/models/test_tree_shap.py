"""SHAP values against their definition on small forests, and against the shap library on a real one."""

from __future__ import annotations

import warnings
from itertools import combinations, pairwise
from math import factorial

import numpy as np
import pytest

from models.flat_forest import FlatForest
from models.isolation_forest import IsolationForest
from tests.models.traffic import ordinary, planted


def forest(n_rows: int, n_features: int, n_trees: int, max_samples: int) -> FlatForest:
    rows = np.random.default_rng(4).normal(size=(n_rows, n_features))
    return IsolationForest.fit(rows, 3, n_trees, max_samples).forest


@pytest.mark.parametrize(("n_features", "max_samples"), [(1, 32), (2, 32), (4, 64), (7, 256)])
def test_contributions_are_the_shapley_values_of_the_path_dependent_game(n_features: int, max_samples: int) -> None:
    small = forest(400, n_features, 3, max_samples)
    row = np.linspace(2.5, -1.0, n_features).astype(np.float32)
    parts = small.contributions(row[np.newaxis])
    np.testing.assert_allclose(parts.values[0], shapley(small, row), rtol=0, atol=1e-12)
    assert parts.base == pytest.approx(expected(small, row, set()), abs=1e-12)


def shapley(forest: FlatForest, row: np.ndarray) -> list[float]:
    """By the definition, over every coalition of features."""
    everyone = set(range(len(row)))
    return [
        sum(
            factorial(size) * factorial(len(row) - size - 1) / factorial(len(row))
            * (expected(forest, row, {*some, feature}) - expected(forest, row, set(some)))
            for size in range(len(row))
            for some in combinations(everyone - {feature}, size)
        )
        for feature in everyone
    ]


def expected(forest: FlatForest, row: np.ndarray, known: set[int]) -> float:
    """The prediction when some features are known: at a split on another, both ways by the training rows there."""

    def below(node: int) -> float:
        left, right = int(forest.child[node]), int(forest.child[node]) + 1
        if left == node:
            return float(forest.value[node])
        if forest.feature[node] in known:
            return below(left if row[forest.feature[node]] <= forest.threshold[node] else right)
        return float(forest.cover[left] * below(left) + forest.cover[right] * below(right)) / float(forest.cover[node])

    return sum(below(int(root)) for root in forest.roots)


@pytest.mark.parametrize("max_samples", [256, 2_000])  # paths of up to 8 and of up to 11 features
def test_contributions_are_those_of_the_shap_library(max_samples: int) -> None:
    trained = IsolationForest.fit(ordinary(3_000), 3, 60, max_samples)
    rows = np.nan_to_num(np.vstack([ordinary(40, seed=9), planted(40)])).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer({"trees": trees(trained.forest), "input_dtype": np.float32})
        theirs = explainer.shap_values(rows)
    ours = trained.forest.contributions(rows)
    np.testing.assert_allclose(ours.values, theirs, rtol=0, atol=1e-12)
    assert ours.base == pytest.approx(float(explainer.expected_value[0]), abs=1e-9)


def trees(forest: FlatForest) -> list[dict[str, np.ndarray]]:
    bounds = [*forest.roots.astype(int), len(forest.child)]
    return [tree(forest, start, end) for start, end in pairwise(bounds)]


def tree(forest: FlatForest, start: int, end: int) -> dict[str, np.ndarray]:
    left = forest.child[start:end].astype(int) - start
    is_leaf = left == np.arange(end - start)
    return {
        "children_left": np.where(is_leaf, -1, left),
        "children_right": np.where(is_leaf, -1, left + 1),
        "children_default": np.where(is_leaf, -1, left),
        "features": forest.feature[start:end].astype(int),
        "thresholds": forest.threshold[start:end].astype(np.float64),
        "values": forest.value[start:end, np.newaxis],
        "node_sample_weight": forest.cover[start:end],
    }


def test_a_value_on_a_threshold_is_explained_on_the_side_where_it_is_scored() -> None:
    trained = forest(400, 3, 20, 64)
    edges = trained.threshold[np.isfinite(trained.threshold)][:60].reshape(20, 3)
    np.testing.assert_allclose(trained.contributions(edges).totals(), trained.predict(edges), rtol=0, atol=1e-12)


def test_a_row_is_explained_alike_alone_and_among_others() -> None:
    trained = forest(400, 5, 10, 64)
    rows = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    alone = np.vstack([trained.contributions(rows[at : at + 1]).values for at in range(30)])
    np.testing.assert_array_equal(trained.contributions(rows).values, alone)


def test_a_tree_that_never_splits_explains_nothing() -> None:
    trained = IsolationForest.fit(np.ones((50, 3)), 3, 5).forest
    parts = trained.contributions(np.zeros((2, 3), np.float32))
    assert not parts.values.any()
    np.testing.assert_allclose(parts.totals(), trained.predict(np.zeros((2, 3), np.float32)), atol=1e-12)
