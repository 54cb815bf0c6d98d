"""The root of every error a user can be told about, and what can be wrong with the set-up of the features.

TidewatchError              1
 └── FeatureError           3
      ├── FeatureSetError       the feature list cannot be computed as configured
      └── RateTableError        the table of currency rates is unusable
"""

from __future__ import annotations


class TidewatchError(Exception):
    """What was wrong, with the value, and ``fix``: the next step a reader can take."""

    exit_code = 1

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}"

    def __reduce__(self) -> tuple[type[TidewatchError], tuple[str, str]]:
        return type(self), (self.message, self.fix)


class FeatureError(TidewatchError):
    """A set-up the features cannot work with."""

    exit_code = 3


class FeatureSetError(FeatureError):
    """The feature list cannot be computed as configured."""


class RateTableError(FeatureError):
    """The table of currency rates is unusable."""
