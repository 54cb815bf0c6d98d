"""One small trained bundle for all tests of models."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models import detector
from models.bundle import Bundle, save_bundle
from models.isolation_forest import IsolationForest
from models.training import Recipe, TrainingSet, fit_bundle
from tests.models.traffic import FEATURES, ordinary, planted

JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 8))


def train(*recipes: Recipe, n_rows: int = 2_000) -> Bundle:
    rows = np.vstack([ordinary(n_rows - 20), planted(20)])
    return fit_bundle(TrainingSet(rows, FEATURES, JUNE, JULY), recipes, contamination=0.01, seed=7, created_at=AUGUST)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return train(Recipe("forest", partial(IsolationForest.fit, n_estimators=40)))


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    """The bundle, saved."""
    save_bundle(bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of a detector that joins for one test, by one line in the table."""
    monkeypatch.setitem(detector.DETECTORS, "distance", "tests.models.toy:Distance")
    return "distance"
