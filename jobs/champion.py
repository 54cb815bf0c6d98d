"""The model the stream scores with: the registry's @champion, looked up between micro-batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from pyspark import Broadcast, SparkContext

from features.catalogue import FeatureSet
from models.bundle import Bundle, load_bundle
from models.errors import ModelError, RegistryProblem
from models.registry import CHAMPION, Registry


class LiveModel(NamedTuple):
    """A bundle in every worker's reach, and its version number in the registry."""

    version: int
    bundle: Broadcast[Bundle]

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the detectors in it."""
        return tuple(member.name for member in self.bundle.value.ensemble.members)


def load_model(registry: Registry, version: int, features: FeatureSet) -> Bundle:
    """A registered version, verified; raises ModelError when it is not to be had or made for other features."""
    return load_bundle(registry.download(version), features.hash)


class Champion:
    """Follows the alias; a champion that cannot be used is refused, loudly, and the one before goes on."""

    def __init__(
        self, context: SparkContext, registry: Registry, features: FeatureSet, poll_s: float, say: Callable[[str], None]
    ) -> None:
        self._context, self._registry, self._features = context, registry, features
        self._poll_s, self._say = poll_s, say
        self._asked_at = -poll_s
        self._refused: int | None = None
        self._live: LiveModel | None = None

    def current(self) -> LiveModel:
        """The model for the next micro-batch; raises ModelError only if there is none to go on with."""
        if self._live is None:
            self._live = self.load(self._registry.champion()[0])
        elif time.monotonic() - self._asked_at >= self._poll_s:
            self._live = self._followed(self._live)
        else:
            return self._live
        self._asked_at = time.monotonic()
        return self._live

    def load(self, version: int) -> LiveModel:
        """A certain version, as a retried batch needs it; raises ModelError when it cannot be used."""
        if self._live is not None and self._live.version == version:
            return self._live
        return LiveModel(version, self._context.broadcast(load_model(self._registry, version, self._features)))

    def _followed(self, live: LiveModel) -> LiveModel:
        version: int | None = None
        try:
            version = self._registry.version_of(CHAMPION)
            if version in (None, live.version, self._refused):
                return live
            champion = self.load(version)
        except RegistryProblem as error:  # it may answer the next time
            self._say(f"the registry cannot be asked: {error.message}; version {live.version} goes on")
            return live
        except ModelError as error:
            self._refused = version
            self._say(
                f"REFUSED @{CHAMPION} version {version}: {error.message}; version {live.version} goes on ({error.fix})"
            )
            return live
        self._say(f"model version {version} takes over from version {live.version}")
        live.bundle.unpersist()
        return champion
