from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import Calibration
from models.detector import Contributions
from models.errors import BundleRefused, NotTrainable
from models.isolation_forest import IsolationForest
from tests.models.traffic import ordinary

SCORES = np.random.default_rng(0).gamma(2.0, size=20_000)
FITTED = Calibration.fit(SCORES, 0.01)


@pytest.mark.parametrize(("share", "risk"), [
    (0.1, 0.35),            # 0.7 * ln 0.1 / ln 0.01
    (0.01, 0.7),            # the contamination itself
    (0.01 * 4 / 9, 0.8),    # 1 - 0.3 * 2/3
    (0.01 / 9, 0.9),        # 1 - 0.3 * 1/3
])
def test_risk_says_which_share_of_the_training_traffic_is_at_or_above(share: float, risk: float) -> None:
    threshold = np.sort(SCORES)[-round(share * len(SCORES))]
    assert FITTED.risk(np.array([threshold]))[0] == pytest.approx(risk, abs=0.004)


@pytest.mark.parametrize("contamination", [0.001, 0.01, 0.1, 0.5])
def test_the_contamination_is_the_share_of_training_traffic_at_or_above_seven_tenths(contamination: float) -> None:
    risk = Calibration.fit(SCORES, contamination).risk(SCORES)
    assert (risk >= 0.7).mean() == pytest.approx(contamination, rel=0.05)


def test_seven_tenths_means_the_same_after_retraining_on_other_rows() -> None:
    fresh = ordinary(20_000, seed=9)
    shares = []
    for seed in (1, 2, 3):
        rows = ordinary(10_000, seed=seed)
        forest = IsolationForest.fit(rows, seed, 60)
        shares.append((Calibration.fit(forest.raw_scores(rows), 0.02).risk(forest.raw_scores(fresh)) >= 0.7).mean())
    np.testing.assert_allclose(shares, 0.02, rtol=0.25)


def test_the_scale_of_a_detector_does_not_matter() -> None:
    np.testing.assert_allclose(Calibration.fit(SCORES * 1e3 - 5, 0.01).risk(SCORES * 1e3 - 5), FITTED.risk(SCORES))


@given(st.lists(st.floats(-40, 60), min_size=2, max_size=30, unique=True))
def test_risk_never_falls_as_the_score_rises_and_stays_between_0_and_1(scores: list[float]) -> None:
    risk = FITTED.risk(np.sort(scores))
    assert np.all(np.diff(risk) >= 0)
    assert np.all((risk >= 0) & (risk <= 1))


@given(st.lists(st.integers(-40, 600), min_size=2, max_size=30, unique=True))
def test_scores_a_twentieth_apart_have_different_risk_far_beyond_the_training_traffic(steps: list[int]) -> None:
    for lower, higher in pairwise(FITTED.risk(np.sort(steps) / 20)):
        assert lower < higher


@given(st.lists(st.sampled_from([0, 1, 10, 1_000]), min_size=4, max_size=4).filter(lambda counts: sum(counts) >= 1_000))
def test_scores_of_few_distinct_values_are_calibrated_all_the_same(counts: list[int]) -> None:
    scores = np.repeat([0.0, 1.0, 2.0, 50.0], counts)
    risk = Calibration.fit(scores, 0.01).risk(np.array([-1.0, 0.0, 1.0, 2.0, 50.0, 51.0]))
    assert np.isfinite(risk).all()
    assert np.all(np.diff(risk) > 0)


def test_the_tail_falls_by_the_mean_excess_of_the_highest_scores() -> None:
    scores = np.arange(1_000.0)  # ten in the tail: excesses 1 to 9 over 990, their mean 5
    one, two = Calibration.fit(scores, 0.01).risk(np.array([995.0, 1_000.0]))
    assert (1 - two) / (1 - one) == pytest.approx(np.exp(-1 / 2))  # p falls by e; risk goes with its root


def test_too_few_rows_are_refused_with_the_number_needed() -> None:
    with pytest.raises(NotTrainable, match="999 rows") as refusal:
        Calibration.fit(np.arange(999.0), 0.01)
    assert "1000" in refusal.value.fix


def test_a_restored_calibration_is_equal_to_the_bit() -> None:
    restored = Calibration.from_json(FITTED.to_json())
    np.testing.assert_array_equal(restored.risk(SCORES), FITTED.risk(SCORES))


@pytest.mark.parametrize(("old", "new"), [
    (b'"scale": ', b'"scale": -'), (b'"contamination": 0', b'"contamination": 5'), (b'"knots": [', b'"knots": [99.0,'),
])
def test_a_calibration_that_does_not_rise_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(BundleRefused):
        Calibration.from_json(FITTED.to_json().replace(old, new))


def test_contributions_to_the_score_become_contributions_to_its_risk() -> None:
    parts = Contributions(base=1.0, values=np.array([[4.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    explained = FITTED.explain(parts)
    base, risk = FITTED.risk(np.array([1.0, 4.0]))
    assert explained.base == base
    np.testing.assert_allclose(explained.values[0], np.array([4.0, -1.0, 0.0]) * (risk - base) / 3.0)
    np.testing.assert_array_equal(explained.values[1], 0.0)
    np.testing.assert_allclose(explained.totals(), [risk, base], atol=1e-12)
