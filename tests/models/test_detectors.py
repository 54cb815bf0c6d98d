"""What every detector promises; a new one is tested here as soon as it is in the table."""

from __future__ import annotations

import numpy as np
import pytest

from models.detector import DETECTORS, Detector, detector_class
from models.errors import BundleRefused
from tests.models.toy import Distance
from tests.models.traffic import ordinary, planted


@pytest.fixture(scope="module", params=[*DETECTORS, "distance"])
def kind(request: pytest.FixtureRequest) -> type[Detector]:
    return Distance if request.param == "distance" else detector_class(request.param)


@pytest.fixture(scope="module")
def trained(kind: type[Detector]) -> Detector:
    return kind.fit(ordinary(1_500), seed=3)


def test_the_class_is_in_the_table_under_its_own_kind() -> None:
    assert {name: detector_class(name).kind for name in DETECTORS} == {name: name for name in DETECTORS}


def test_a_kind_that_is_not_in_the_table_is_refused_by_name() -> None:
    with pytest.raises(BundleRefused, match="os:system"):
        detector_class("os:system")


def test_it_knows_how_many_features_it_was_trained_on(trained: Detector) -> None:
    assert trained.n_features == ordinary(1).shape[1]


def test_rows_with_missing_values_have_finite_scores(trained: Detector) -> None:
    rows = np.vstack([ordinary(50, seed=9), np.full((1, trained.n_features), np.nan)])
    assert np.isfinite(trained.raw_scores(rows)).all()


def test_each_row_is_scored_by_itself(trained: Detector) -> None:
    rows = ordinary(700, seed=9)
    together = trained.raw_scores(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_array_equal(trained.raw_scores(np.ascontiguousarray(rows[order])), together[order])
    alone = [trained.raw_scores(rows[at : at + 1])[0] for at in range(20)]
    np.testing.assert_array_equal(alone, together[:20])


def test_no_rows_have_no_scores(trained: Detector) -> None:
    assert trained.raw_scores(ordinary(0)).shape == (0,)


def test_the_same_rows_and_seed_give_the_same_files(kind: type[Detector]) -> None:
    rows = ordinary(400)
    assert kind.fit(rows, seed=5).to_files() == kind.fit(rows, seed=5).to_files()


def test_a_detector_restored_from_its_files_scores_equal_to_the_bit(kind: type[Detector], trained: Detector) -> None:
    rows = ordinary(500, seed=9)
    restored = kind.from_files(trained.to_files())
    np.testing.assert_array_equal(restored.raw_scores(rows), trained.raw_scores(rows))
    assert restored.to_files() == trained.to_files()


def test_contributions_add_up_to_the_raw_score(trained: Detector) -> None:
    rows = np.vstack([ordinary(30, seed=9), planted(10)])
    parts = trained.contributions(rows)
    assert parts.values.shape == rows.shape
    np.testing.assert_allclose(parts.base + parts.values.sum(axis=1), trained.raw_scores(rows), rtol=0, atol=1e-6)


def test_nine_in_ten_planted_payments_are_among_the_top_hundredth(trained: Detector) -> None:
    threshold = np.quantile(trained.raw_scores(ordinary(5_000, seed=9)), 0.99)
    assert (trained.raw_scores(planted(500)) > threshold).mean() >= 0.9
