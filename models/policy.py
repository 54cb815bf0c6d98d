"""From risk to a decision: the level, the recommendation, and whether an analyst gets to see it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.detector import Vector
from models.errors import PolicyInvalid, ScoreInvalid


class RiskLevel(StrEnum):
    """How suspicious, in rising order."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Recommendation(StrEnum):
    """What to do with the payment."""

    APPROVE = "APPROVE"
    REVIEW = "REVIEW"
    BLOCK = "BLOCK"


RECOMMENDED: Final = {
    RiskLevel.LOW: Recommendation.APPROVE,
    RiskLevel.MEDIUM: Recommendation.APPROVE,
    RiskLevel.HIGH: Recommendation.REVIEW,
    RiskLevel.CRITICAL: Recommendation.BLOCK,
}


@dataclass(frozen=True)
class Decisions:
    """One decision per row; levels and recommendations are strings, in arrays of objects."""

    risk_level: npt.NDArray[np.object_]
    recommendation: npt.NDArray[np.object_]
    is_alert: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Policy:
    """Thresholds on risk; each belongs to the level above it: 0.7 is HIGH when ``high`` is 0.7."""

    medium: float = 0.5
    high: float = 0.7
    critical: float = 0.9
    alert_threshold: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.medium < self.high < self.critical < 1:
            raise PolicyInvalid(f"{self} does not rise from level to level", "keep 0 < medium < high < critical < 1")
        if not 0 < self.alert_threshold <= 1:
            raise PolicyInvalid(f"alert_threshold {self.alert_threshold} is no risk", "keep it above 0 and at most 1")

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits that change with any threshold and with the table of recommendations."""
        content = json.dumps([asdict(self), RECOMMENDED], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def decide(self, risk: Vector, reached_limit: Vector | None = None) -> Decisions:
        """Decide row by row; raises ScoreInvalid when one is NaN or outside [0, 1], for that must not pass as LOW.

        A payment that reached the limit on its user (a number, else NaN) is a critical alert whatever its risk.
        """
        invalid = risk[~((risk >= 0) & (risk <= 1))]
        if len(invalid):
            raise ScoreInvalid(f"{len(invalid)} of {len(risk)} risk scores are invalid, the first {invalid[0]}",
                               "go back to an earlier model version: this one is broken")
        is_last = np.zeros(len(risk), bool) if reached_limit is None else ~np.isnan(reached_limit)
        level = np.where(is_last, len(_NAMES) - 1, np.digitize(risk, [self.medium, self.high, self.critical]))
        return Decisions(_NAMES[level], _ADVICE[level], is_last | (risk >= self.alert_threshold))


def _objects(texts: list[Any]) -> npt.NDArray[np.object_]:
    return np.array([str(text) for text in texts], dtype=object)


_NAMES: Final = _objects(list(RiskLevel))
_ADVICE: Final = _objects([RECOMMENDED[level] for level in RiskLevel])
