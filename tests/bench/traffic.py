"""The payments of the bench: 48 hours of the simulated world, the same for the same seed, number and end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jobs.raw_topic import RawTopic
from jobs.settings import Settings
from jobs.simulate.dirt import CLEAN, DUPLICATE, FUTURE, LATE, MALFORMED, Dirt, soiled
from jobs.simulate.payment import DAY_MS, HOUR_MS, Payments, ip_address
from jobs.simulate.render import Messages, rendered
from jobs.simulate.traffic import history
from jobs.simulate.world import World

SEED: Final = 1
SPAN_MS: Final = 2 * DAY_MS
# One in a thousand ends as a dead letter; one in a hundred arrives after the user's next one.
DIRT: Final = Dirt(late=0.0002, future=0.0001, out_of_order=0.01, tie=0.001, duplicate=0.0003, malformed=0.0004)
_MORE: Final = 1.02  # made, so that enough are left after chance had its say
_CHUNK: Final = 50_000


@dataclass(frozen=True)
class Traffic:
    """So many payments of so many users in the 48 hours before ``end_ms``, in the order in which they reach Kafka."""

    n_events: int
    n_users: int
    end_ms: int

    def rows(self) -> Payments:
        """Every optional field is there and each has an address and a payee, which makes a message of 420 bytes."""
        world = self._world()
        start_ms = self.end_ms - SPAN_MS
        rows = np.concatenate([rows for _, rows in history(world, start_ms, self.end_ms)])
        rows["serial"] = np.arange(len(rows))
        rows["absent"] = 0
        rows["ip"] = ip_address(rows["place"], rows["user"])
        rows["payee"] = rows["user"] * 3 + rows["merchant"] % 3
        rows = soiled(rows, DIRT, world.rng(SEED, start_ms))
        rows = rows[rows["record_ms"] <= self.end_ms]
        rows = rows[np.argsort(rows["record_ms"], kind="stable")][-self.n_events :]
        if len(rows) < self.n_events:
            raise ValueError(f"{len(rows)} payments were made in place of {self.n_events}")
        is_copy = np.ones(len(rows), bool)
        is_copy[np.unique(rows["serial"], return_index=True)[1]] = False
        rows["dirt"][(rows["dirt"] == DUPLICATE) & ~is_copy] = CLEAN  # its original was cut off
        return rows

    def messages(self, rows: Payments) -> Iterator[Messages]:
        """These rows of this traffic, written."""
        world = self._world()
        for start in range(0, len(rows), _CHUNK):
            yield rendered(world, rows[start : start + _CHUNK])

    def _world(self) -> World:
        world = World.create(SEED, self.n_users)
        first = sum(len(rows) for _, rows in history(world, self.end_ms - SPAN_MS, self.end_ms))
        pace = _MORE * (self.n_events + 1_000) / max(first, 1)
        return replace(world, per_day=world.per_day * pace)


def n_refused(rows: Payments) -> int:
    """How many of them must end as dead letters."""
    return int(np.isin(rows["dirt"], (LATE, FUTURE, DUPLICATE, MALFORMED)).sum())


def send(settings: Settings, batches: Iterator[Messages]) -> int:
    """Each message with its own record time; returns the number of bytes."""
    n_bytes = 0
    with RawTopic(settings) as raw:
        for batch in batches:
            raw.send_all(batch.key, batch.value, batch.record_ms.tolist())
            n_bytes += sum(map(len, batch.value))
    return n_bytes


def last_hour_ms(now_ms: int) -> int:
    """The full hour before: record times must lie in the past, and runs of one hour get the same payments."""
    return now_ms // HOUR_MS * HOUR_MS
