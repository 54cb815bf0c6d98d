"""From a feature matrix to a bundle: train each member, calibrate, keep golden rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from features.catalogue import FeatureSet
from models.bundle import Bundle, Facts, Golden
from models.calibration import Calibration
from models.detector import Detector, Matrix
from models.ensemble import Ensemble, Member
from models.errors import NotTrainable
from models.verify import installed_versions

N_GOLDEN: Final = 32


@dataclass(frozen=True)
class Recipe:
    """One member to be: ``fit`` takes the matrix and a seed, as ``Detector.fit`` does."""

    name: str
    fit: Callable[[Matrix, int], Detector]
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingSet:
    """The rows to learn from; ``matrix`` has the columns of ``features``, the times say which traffic it is."""

    matrix: Matrix
    features: FeatureSet
    first: datetime
    last: datetime


def fit_bundle(
    rows: TrainingSet, recipes: Sequence[Recipe], *, contamination: float, seed: int, created_at: datetime
) -> Bundle:
    """Train and calibrate on the same rows; raises NotTrainable when they are too few or not the features."""
    matrix = rows.matrix
    names = {recipe.name for recipe in recipes if recipe.weight > 0}
    if not recipes or len(names) < len(recipes):
        raise NotTrainable(f"members {[(recipe.name, recipe.weight) for recipe in recipes]} make no ensemble",
                           "give at least one, and each a name of its own and a weight above 0")
    if matrix.ndim != 2 or matrix.shape[1] != len(rows.features.names):
        raise NotTrainable(f"a matrix of shape {matrix.shape} does not hold the {len(rows.features.names)} features",
                           "rebuild the features with the settings to be trained for: tidewatch backfill")
    members = tuple(_fit_member(recipe, matrix, contamination, seed) for recipe in recipes)
    ensemble = Ensemble.fit(members, matrix, contamination)
    facts = Facts(
        feature_names=rows.features.names,
        feature_hash=rows.features.hash,
        trained_from=_rfc3339(rows.first),
        trained_to=_rfc3339(rows.last),
        n_rows=len(matrix),
        contamination=contamination,
        seed=seed,
        created_at=_rfc3339(created_at),
        libraries=installed_versions(name for member in members for name in member.detector.libraries),
    )
    return Bundle.sealed(ensemble, facts, _golden(ensemble, matrix))


def _fit_member(recipe: Recipe, matrix: Matrix, contamination: float, seed: int) -> Member:
    detector = recipe.fit(matrix, seed)
    return Member(recipe.name, recipe.weight, detector, Calibration.fit(detector.raw_scores(matrix), contamination))


def _golden(ensemble: Ensemble, matrix: Matrix) -> Golden:
    """Rows from the least to the most suspicious, at even steps of rank."""
    order = np.argsort(ensemble.score(matrix).risk, kind="stable")
    rows = matrix[order[np.linspace(0, len(order) - 1, N_GOLDEN).astype(np.int64)]]
    return Golden(rows, ensemble.score(rows).risk)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
