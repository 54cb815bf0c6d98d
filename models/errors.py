"""What can be wrong with a model, and the exit code the command line gives it.

    ModelError                 6
     ├── NotTrainable             the training rows or the recipe cannot give a model
     ├── BundleRefused            files that are not the bundle they claim to be, or not one for this program
     ├── RegistryProblem          the registry does not answer, or holds no such version
     ├── PolicyInvalid            thresholds that contradict each other
     ├── ScoreInvalid             a risk score that is no number between 0 and 1
     └── NotAdditive              contributions that do not add up to the score they explain
"""

from __future__ import annotations

from features.errors import TidewatchError


class ModelError(TidewatchError):
    """A model, a bundle or a registry that cannot be worked with."""

    exit_code = 6


class NotTrainable(ModelError):
    pass


class BundleRefused(ModelError):
    pass


class RegistryProblem(ModelError):
    pass


class PolicyInvalid(ModelError):
    pass


class ScoreInvalid(ModelError):
    pass


class NotAdditive(ModelError):
    pass
