"""From settings to the parts every job shares: the contract, the feature list, the policy and the registry."""

from __future__ import annotations

from features.catalogue import FeatureSet
from features.money import RateTable
from features.parse import Contract
from jobs.settings import Settings
from models.policy import Policy
from models.registry import Registry


def contract(settings: Settings) -> Contract:
    """What raw records are judged by; raises RateTableError when the rate table is unusable."""
    chosen = settings.contract
    rates = RateTable.load(chosen.rates_file, chosen.base_currency)
    limits = (chosen.max_lateness_s, chosen.max_skew_s, chosen.max_message_bytes, chosen.max_user_payments_per_hour)
    return Contract(rates, chosen.default_currency, *limits)


def feature_set(settings: Settings) -> FeatureSet:
    """The features that are served and trained on; raises FeatureSetError when the horizon is too short for them."""
    chosen = settings.features
    return FeatureSet(
        horizon_s=chosen.horizon_s,
        windows_s=chosen.windows_s,
        distinct_windows_s=chosen.distinct_windows_s,
        profile_s=chosen.profile_s,
        base_currency=settings.contract.base_currency,
    )


def policy(settings: Settings) -> Policy:
    """The thresholds that turn risk into a decision."""
    return Policy(**settings.policy.model_dump())


def registry(settings: Settings) -> Registry:
    """Where bundles are published."""
    return Registry(settings.model.registry_uri, settings.model.name, settings.model.artifact_dir)
