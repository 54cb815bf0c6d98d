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


class ModelError(Exception):
    """What was wrong, with the value, and in ``fix`` the next step a reader can take."""

    exit_code = 6

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}"

    def __reduce__(self) -> tuple[type[ModelError], tuple[str, str]]:
        return type(self), (self.message, self.fix)


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
