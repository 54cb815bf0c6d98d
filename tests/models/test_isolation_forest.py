from __future__ import annotations

import io

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest

from models.errors import BundleRefused, NotTrainable
from models.isolation_forest import MEDIANS_FILE, IsolationForest, average_path_length
from tests.models.traffic import ordinary, planted


@pytest.mark.parametrize(("n_estimators", "max_samples", "n_rows"), [(150, 256, 3_000), (7, 5, 40), (20, 1_000, 700)])
def test_the_flat_walk_scores_as_scikit_learn_does(n_estimators: int, max_samples: int, n_rows: int) -> None:
    rows = np.nan_to_num(ordinary(n_rows))
    fresh = np.nan_to_num(np.vstack([ordinary(2_000, seed=9), planted(50)]))
    theirs = SklearnForest(n_estimators=n_estimators, max_samples=min(max_samples, n_rows), random_state=5).fit(rows)
    ours = IsolationForest.fit(rows, 5, n_estimators, max_samples)
    np.testing.assert_allclose(-(2.0 ** ours.raw_scores(fresh)), theirs.score_samples(fresh), rtol=0, atol=1e-12)


def test_values_on_a_threshold_go_the_way_scikit_learn_sends_them() -> None:
    rows = np.random.default_rng(0).integers(0, 4, (500, 3)).astype(np.float64) / 10
    theirs = SklearnForest(n_estimators=50, max_samples=64, random_state=1).fit(rows)
    edges = np.column_stack([tree.tree_.threshold[:3] for tree in theirs.estimators_]).T
    ours = IsolationForest.fit(rows, 1, 50, 64)
    np.testing.assert_allclose(-(2.0 ** ours.raw_scores(edges)), theirs.score_samples(edges), rtol=0, atol=1e-12)


def test_a_missing_value_scores_as_the_median_of_the_training_rows() -> None:
    rows = np.array([[1.0, 5.0], [2.0, np.nan], [9.0, 7.0], [np.nan, 6.0]])
    forest = IsolationForest.fit(rows, 3, 20)
    missing, medians = np.array([[np.nan, np.nan]]), np.array([[2.0, 6.0]])
    assert forest.raw_scores(missing) == forest.raw_scores(medians)


def test_a_feature_no_row_knows_does_not_disturb_the_others() -> None:
    rows = ordinary(300)
    rows[:, 4] = np.nan
    forest = IsolationForest.fit(rows, 3, 20)
    assert np.isfinite(forest.raw_scores(ordinary(50, seed=9))).all()
    assert not forest.contributions(ordinary(50, seed=9)).values[:, 4].any()


@pytest.mark.parametrize("oddity", [0.0, -1e9, 1e300, np.inf, -np.inf])
def test_no_number_is_too_large_to_be_scored_and_explained(oddity: float) -> None:
    forest, rows = IsolationForest.fit(ordinary(300), 3, 20), np.full((1, ordinary(1).shape[1]), oddity)
    np.testing.assert_allclose(forest.contributions(rows).totals(), forest.raw_scores(rows), rtol=0, atol=1e-6)


def test_the_mean_depth_of_a_search_is_that_of_the_paper() -> None:
    harmonic = np.log(255.0) + 0.5772156649015329
    np.testing.assert_allclose(average_path_length(np.array([1, 2, 256])), [0, 1, 2 * harmonic - 2 * 255 / 256])


def test_one_row_is_too_few_to_grow_a_tree() -> None:
    with pytest.raises(NotTrainable, match="1 rows"):
        IsolationForest.fit(ordinary(1), 3)


@pytest.mark.parametrize(("array", "number"), [
    ("child", 0), ("child", 1e6), ("feature", 1e6), ("roots", 1e6), ("threshold", 0), ("value", np.nan),
])
def test_trees_that_lead_outside_their_arrays_are_refused_before_a_walk(array: str, number: float) -> None:
    trained = IsolationForest.fit(ordinary(200), 3, 5)
    getattr(trained.forest, array)[1:] = np.float32(number)
    with pytest.raises(BundleRefused, match="outside"):
        IsolationForest.from_files(trained.to_files())


def test_files_that_hold_python_objects_are_not_opened() -> None:
    files = IsolationForest.fit(ordinary(200), 3, 5).to_files()
    with pytest.raises(ValueError, match="allow_pickle"):
        IsolationForest.from_files(files | {MEDIANS_FILE: _pickled_array()})


def _pickled_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    return buffer.getvalue()
