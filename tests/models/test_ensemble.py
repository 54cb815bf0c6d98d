from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from models.detector import Contributions, Matrix
from models.ensemble import Ensemble, Member
from models.errors import NotAdditive, NotTrainable
from models.isolation_forest import IsolationForest
from models.training import Recipe
from tests.models.conftest import train
from tests.models.toy import Distance
from tests.models.traffic import ordinary, planted

FOREST = Recipe("forest", partial(IsolationForest.fit, n_estimators=40), weight=3.0)
DISTANCE = Recipe("distance", Distance.fit, weight=1.0)
ROWS = np.vstack([ordinary(300, seed=9), planted(30)])


@pytest.fixture(scope="module")
def pair() -> Ensemble:
    return train(FOREST, DISTANCE).ensemble


def test_a_member_alone_is_the_risk_score() -> None:
    scored = train(FOREST).ensemble.score(ROWS)
    np.testing.assert_array_equal(scored.risk, scored.members["forest"])


def test_two_members_are_blended_by_weight_and_calibrated_once_more(pair: Ensemble) -> None:
    scored = pair.score(ROWS)
    blend = 0.75 * scored.members["forest"] + 0.25 * scored.members["distance"]
    assert pair.calibration is not None
    np.testing.assert_allclose(scored.risk, pair.calibration.risk(blend), rtol=0, atol=1e-12)


def test_seven_tenths_of_a_blend_is_still_the_contamination(pair: Ensemble) -> None:
    rows = np.vstack([ordinary(1_980), planted(20)])  # what it was trained on
    assert (pair.score(rows).risk >= 0.7).mean() == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("recipes", [[FOREST], [FOREST, DISTANCE]])
def test_base_and_contributions_add_up_to_the_risk_score(recipes: list[Recipe]) -> None:
    ensemble = train(*recipes).ensemble
    parts = ensemble.explain(ROWS)
    np.testing.assert_allclose(parts.base + parts.values.sum(axis=1), ensemble.score(ROWS).risk, rtol=0, atol=1e-9)


def test_contributions_that_miss_the_score_are_never_passed_on() -> None:
    class Wrong(Distance):
        def contributions(self, matrix: Matrix) -> Contributions:
            return Contributions(1e-5, super().contributions(matrix).values)

    (member,) = train(DISTANCE).ensemble.members
    wrong = Member("wrong", 1.0, Wrong(member.detector.mean, member.detector.spread), member.calibration)
    with pytest.raises(NotAdditive, match="'wrong' miss its score by 1e-05"):
        Ensemble((wrong,)).explain(ROWS)


@pytest.mark.parametrize("recipes", [[FOREST, FOREST], [Recipe("idle", Distance.fit, weight=0.0)], []])
def test_members_need_a_name_of_their_own_and_a_weight(recipes: list[Recipe]) -> None:
    with pytest.raises(NotTrainable):
        train(*recipes)
