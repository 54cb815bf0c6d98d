"""What notebooks get by default is what the jobs run with by default."""

from __future__ import annotations

from features.catalogue import FeatureSet
from features.parse import Contract
from jobs import pipeline
from jobs.settings import Settings
from models.policy import Policy


def test_the_default_contract_is_the_one_of_base_yaml(settings: Settings) -> None:
    served = pipeline.contract(settings)
    assert Contract(served.rates) == served


def test_the_default_features_are_those_of_base_yaml(settings: Settings) -> None:
    assert FeatureSet() == pipeline.feature_set(settings)
    assert FeatureSet().hash == pipeline.feature_set(settings).hash


def test_the_default_policy_is_the_one_of_base_yaml(settings: Settings) -> None:
    assert Policy() == pipeline.policy(settings)
