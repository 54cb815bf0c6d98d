"""A raw topic full of payments, and the model for them: what every measurement begins with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from jobs.simulate.payment import Payments
from tests.bench.bed import Bed
from tests.bench.traffic import Traffic, last_hour_ms, n_refused, send
from tests.jobs import road

Say = Callable[[str], None]


class Backlog(NamedTuple):
    """``place`` has the raw topic; the model of these payments is @champion under a name of its own."""

    place: Bed
    n_events: int
    n_users: int
    n_refused: int
    traffic: Traffic
    bytes_per_event: float

    def fresh(self, name: str) -> Bed:
        """A run over this backlog, with everything else new."""
        topics = self.place.settings.kafka.topics
        return self.place.fresh(f"{topics.raw}-{name}", raw=topics.raw)

    def facts(self) -> dict[str, Any]:
        """For the record."""
        named = ("n_events", "n_users", "n_refused", "bytes_per_event")
        return {name: getattr(self, name) for name in named} | {"settings_changed": self.place.changed()}


def fill(place: Bed, n_events: int, n_users: int, say: Say) -> Backlog:
    """Make the payments, send them and train on them."""
    say(f"{n_events:,} payments of {n_users:,} users: making, sending, and training on them")
    named = f"users-{n_users}"
    own = place.with_settings(model={"name": named}).fresh(named)
    traffic = Traffic(n_events, n_users, last_hour_ms(int(time.time() * 1000)))
    rows = traffic.rows()
    n_bytes = send(own.settings, traffic.messages(rows))
    _train(own, traffic, rows)
    return Backlog(own, n_events, n_users, n_refused(rows), traffic, n_bytes / n_events)


def _train(place: Bed, traffic: Traffic, rows: Payments) -> None:
    """As ``tidewatch train`` would, on the whole histories of some users."""
    settings = place.settings
    one_in = max(1, len(rows) // settings.model.max_training_rows)
    some = list(traffic.messages(rows[rows["user"] % one_in == 0]))
    bundle = road.trained_bundle(settings, some, n_trees=settings.model.n_estimators)
    road.register(settings, bundle, place.folder / f"bundle-{settings.model.name}")
