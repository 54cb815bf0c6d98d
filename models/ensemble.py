"""Several detectors with one voice: the weighted mean of their risks, calibrated once more.

    raw score of a member ─calibration─► its risk ─weighted mean─► blend ─calibration─► risk score

A mean of calibrated scores is no longer calibrated: members that agree less often make high means rarer. The last step
restores "0.7 is one in 1/c". A member alone needs no last step, and has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.calibration import Calibration
from models.detector import Contributions, Detector, Matrix, Vector
from models.errors import NotAdditive

ADDITIVE_WITHIN = 1e-6


@dataclass(frozen=True, eq=False)
class Member:
    """A detector, how its scores become risk, and how much its opinion weighs."""

    name: str
    weight: float
    detector: Detector
    calibration: Calibration

    def risk(self, matrix: Matrix) -> Vector:
        return self.calibration.risk(self.detector.raw_scores(matrix))

    def explain(self, matrix: Matrix) -> Contributions:
        """Contributions to the member's risk; raises NotAdditive when the detector's do not add up to its raw score."""
        parts = self.detector.contributions(matrix)
        gap = np.abs(parts.totals() - self.detector.raw_scores(matrix)).max(initial=0.0)
        if not gap <= ADDITIVE_WITHIN:
            raise NotAdditive(
                f"contributions of member {self.name!r} miss its score by {gap:.3g}",
                "train again, or pin the library versions the bundle was trained with",
            )
        return self.calibration.explain(parts)


@dataclass(frozen=True)
class ScoredBlock:
    """Risk per row, of the ensemble and of each member by name."""

    risk: Vector
    members: Mapping[str, Vector]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Members and, from two on, the calibration of their blend."""

    members: tuple[Member, ...]
    calibration: Calibration | None = None

    @classmethod
    def fit(cls, members: tuple[Member, ...], matrix: Matrix, contamination: float) -> Ensemble:
        """Calibrate the blend of trained members on the traffic they were trained on."""
        blended = cls(members)
        if len(members) == 1:
            return blended
        return cls(members, Calibration.fit(blended.score(matrix).risk, contamination))

    def score(self, matrix: Matrix) -> ScoredBlock:
        risks = {member.name: member.risk(matrix) for member in self.members}
        blend = np.average(list(risks.values()), axis=0, weights=self._weights)
        return ScoredBlock(self.calibration.risk(blend) if self.calibration else blend, risks)

    def explain(self, matrix: Matrix) -> Contributions:
        """Contributions to the risk score: base and row sum give what ``score`` gives, within 1e-4."""
        parts = [member.explain(matrix) for member in self.members]
        base = np.average([part.base for part in parts], weights=self._weights)
        values = np.average([part.values for part in parts], axis=0, weights=self._weights)
        blend = Contributions(float(base), values)
        return self.calibration.explain(blend) if self.calibration else blend

    @property
    def _weights(self) -> list[float]:
        total = sum(member.weight for member in self.members)
        return [member.weight / total for member in self.members]
