"""What every detector can do, whatever is inside it, and the table of those there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, Final, Protocol, Self, cast

import numpy as np
import numpy.typing as npt

from models.errors import BundleRefused

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]

DETECTORS: Final = {"isolation_forest": "models.isolation_forest:IsolationForest"}


@dataclass(frozen=True)
class Contributions:
    """A score taken apart: ``base + values.sum(axis=1)`` is the score of each row.

    ``values`` has the shape of the feature matrix; ``base`` is what the detector expects before it sees a feature.
    """

    base: float
    values: Matrix

    def totals(self) -> Vector:
        return cast(Vector, self.base + self.values.sum(axis=1))


class Detector(Protocol):
    """Scores feature matrices: one row per payment, float64, NaN where a feature is missing.

    A trained detector never changes. It is kept as plain files that hold numbers and text, never code.
    """

    kind: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]  # what scoring needs; their major versions are pinned in the bundle

    @property
    def n_features(self) -> int: ...

    @classmethod
    def fit(cls, matrix: Matrix, seed: int) -> Self:
        """Train; the same rows and seed give the same detector."""
        ...

    def raw_scores(self, matrix: Matrix) -> Vector:
        """Score each row by itself: finite, higher = more suspicious, on the detector's own scale."""
        ...

    def contributions(self, matrix: Matrix) -> Contributions:
        """Take the raw scores apart, within 1e-6 of their sum."""
        ...

    def to_files(self) -> dict[str, bytes]:
        """Everything ``from_files`` needs, by file name; the same detector gives the same bytes."""
        ...

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Restore a detector that scores equal to the bit; raises BundleRefused when the files cannot be one."""
        ...


def detector_class(kind: str) -> type[Detector]:
    """The class of that kind; a module is imported only when its kind is asked for."""
    try:
        module, name = DETECTORS[kind].split(":")
    except KeyError:
        raise BundleRefused(
            f"there is no detector of kind {kind!r} (known: {', '.join(DETECTORS)})",
            "score with the release of Tidewatch that trained the bundle, or train again",
        ) from None
    return cast("type[Detector]", getattr(import_module(module), name))
