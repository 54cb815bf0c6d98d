"""How hard the simulated attacks are to find: a decent model finds most, no single feature does."""
from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.catalogue import FeatureSet
from features.event import coordinates, unpack_heads
from features.kernel import compute
from jobs.simulate.payment import DAY_MS
from jobs.simulate.stream import history_messages
from jobs.simulate.world import World
from models.isolation_forest import IsolationForest
from tests.jobs.simulate.worlds import MONDAY_MS, judged, labels

SCHEMES = ("card_testing", "impossible_travel", "account_takeover")
ALERT_SHARE = 0.01
N_EACH = 15

Scored = tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.object_]]


@pytest.fixture(scope="module")
def scored() -> Scored:
    """Feature matrix, scheme and user of every payment of three days."""
    world = World.create(seed=7, n_users=5000)
    messages = list(history_messages(world, MONDAY_MS, MONDAY_MS + 3 * DAY_MS, n_attacks=3 * N_EACH))
    events, truth = judged(messages).events, labels(messages)
    user, heads = events["user_id"].dictionary_encode().indices.to_numpy(), unpack_heads(events["event"])
    found = compute(user.astype(np.int64), heads, np.ones(len(user), bool), FeatureSet())
    _, offsets = coordinates(heads["arrival"][found.rows])
    scheme, users = (np.array([truth[offset][name] for offset in offsets], object) for name in ("scheme", "user_id"))
    return found.matrix, scheme, users


def caught(score: NDArray[np.float64], scored: Scored, scheme: str) -> int:
    """Attacks of which at least one payment is among the most suspicious hundredth of all."""
    _, schemes, users = scored
    alerts = score > np.quantile(score, 1 - ALERT_SHARE)
    return len(set(users[alerts & (schemes == scheme)].tolist()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_isolation_forest_finds_most_attacks_of_each_scheme(scored: Scored, scheme: str) -> None:
    matrix = scored[0]
    score = IsolationForest.fit(matrix[::3], seed=7).raw_scores(matrix)
    assert caught(score, scored, scheme) >= 0.7 * N_EACH


def test_no_single_feature_finds_most_attacks_of_each_scheme(scored: Scored) -> None:
    for column in scored[0].T:
        value = np.nan_to_num(column, nan=np.nanmin(column))
        assert min(caught(value, scored, scheme) for scheme in SCHEMES) < 0.7 * N_EACH
