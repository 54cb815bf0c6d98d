"""The smallest detector there can be: how far a payment is from the mean, feature by feature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numpy as np

from models.detector import Contributions, Matrix, Vector


@dataclass(frozen=True, eq=False)
class Distance:
    """Adds up the distance of each feature from its mean, in standard deviations; a missing one is no distance."""

    kind: ClassVar[str] = "distance"
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    mean: Vector
    spread: Vector

    @property
    def n_features(self) -> int:
        return len(self.mean)

    @classmethod
    def fit(cls, matrix: Matrix, seed: int) -> Self:
        return cls(np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0))

    def raw_scores(self, matrix: Matrix) -> Vector:
        return cast(Vector, np.nansum(np.abs(matrix - self.mean) / self.spread, axis=1))

    def contributions(self, matrix: Matrix) -> Contributions:
        return Contributions(0.0, np.nan_to_num(np.abs(matrix - self.mean) / self.spread))

    def to_files(self) -> dict[str, bytes]:
        return {"numbers.json": json.dumps([self.mean.tolist(), self.spread.tolist()]).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        return cls(*map(np.array, json.loads(files["numbers.json"])))
