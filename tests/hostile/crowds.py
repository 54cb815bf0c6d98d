"""Payments by the hundred thousand, made and sent as fast as one process can."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.settings import Settings
from jobs.simulate.render import LABELS, Messages
from tests.jobs import road

HOUR_MS: Final = 3_600_000
_encode = msgspec.json.Encoder().encode


class Crowd(NamedTuple):
    """Who pays when, and when Kafka gets to know; in order of arrival."""

    user_id: list[str]
    event_ms: NDArray[np.int64]
    record_ms: NDArray[np.int64]

    def and_also(self, *others: Crowd) -> Crowd:
        """All of them."""
        crowds = (self, *others)
        users = [user for crowd in crowds for user in crowd.user_id]
        return Crowd(users, *(np.concatenate([crowd[at] for crowd in crowds]) for at in (1, 2)))._arriving()

    def out_of_order(self, by_ms: int) -> Crowd:
        """The same payments, each arriving up to so much later than it is made."""
        late_ms = np.random.default_rng(3).integers(0, by_ms, len(self.event_ms))
        return self._replace(record_ms=self.event_ms + late_ms)._arriving()

    def part(self, start: int, stop: int) -> Crowd:
        """Those from one arrival to another."""
        return Crowd(*(column[start:stop] for column in self))

    def _arriving(self) -> Crowd:
        order = np.argsort(self.record_ms, kind="stable")
        return Crowd([self.user_id[at] for at in order], self.event_ms[order], self.record_ms[order])

    def messages(self, prefix: str, repeating: Sequence[str] = ()) -> Messages:
        """As they are sent; the users in ``repeating`` send one transaction id again and again."""
        values = [
            _encode(_payment(f"{prefix}-{user}" if user in repeating else f"{prefix}-{at}", user, at, ms))
            for at, (user, ms) in enumerate(zip(self.user_id, self.event_ms.tolist(), strict=True))
        ]
        keys = [user.encode() for user in self.user_id]
        return Messages(keys, values, self.record_ms, pa.RecordBatch.from_pylist([], LABELS))


def _payment(transaction_id: str, user_id: str, at: int, event_ms: int) -> dict[str, object]:
    return {
        "transaction_id": transaction_id,
        "user_id": user_id,
        "amount": at % 4_999 / 100,
        "timestamp": event_ms,
        "currency": "USD",
        "card_id": f"c-{user_id}",
        "merchant_id": f"m{at % 97}",
        "merchant_name": f"Shop {at % 97}",
        "merchant_category": str(5400 + at % 13),
        "city": "Lyon",
        "country": "FR",
        "latitude": 45.76,
        "longitude": 4.84,
        "device_id": f"d-{user_id}",
        "ip": "192.0.2.7",
        "channel": "ecom",
    }


def full_hour_ms(ago: int) -> int:
    """When an hour began, so many full hours ago; recent, or the topic's retention would remove what is sent."""
    return (int(time.time() * 1000) // HOUR_MS - ago) * HOUR_MS


def evenly(user_ids: list[str], start_ms: int, duration_ms: int) -> Crowd:
    """One payment of each of these, evenly over a stretch of time."""
    event_ms = start_ms + np.arange(len(user_ids)) * duration_ms // max(len(user_ids), 1)
    return Crowd(user_ids, event_ms, event_ms)


def by_turns(n_payments: int, n_users: int, start_ms: int, duration_ms: int) -> Crowd:
    """So many ordinary users."""
    return evenly([f"u{at % n_users}" for at in range(n_payments)], start_ms, duration_ms)


def register_model(settings: Settings, sample: Messages) -> None:
    """A small forest, made of these payments."""
    road.register(settings, road.trained_bundle(settings, [sample], n_trees=20), settings.var_dir / "bundle")
