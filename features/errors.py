"""What can be wrong with the set-up of the features.

FeatureError
├── FeatureSetError     the feature list cannot be computed as configured
└── RateTableError      the table of currency rates is unusable
"""

from __future__ import annotations


class FeatureError(Exception):
    """A set-up the features cannot work with: what was wrong, with the value, and the next step in ``fix``."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class FeatureSetError(FeatureError):
    """The feature list cannot be computed as configured."""


class RateTableError(FeatureError):
    """The table of currency rates is unusable."""
