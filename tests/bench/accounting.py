"""Nothing lost, nothing double: what came out of a run against what went in."""

from __future__ import annotations

import re
from typing import Final

from jobs.settings import Settings
from tests.jobs.road import read_records

_PARTITION: Final = re.compile(rb'"raw_partition":(\d+)')
_OFFSET: Final = re.compile(rb'"raw_offset":(\d+)')
_DEAD_KEY: Final = re.compile(rb":(\d+):(\d+)$")
_ALERT_ID: Final = re.compile(rb'"alert_id":"([0-9a-f]+)"')
_RISK: Final = re.compile(rb'"risk_score":([0-9.eE+-]+)')


def account(settings: Settings, n_sent: int, n_refused: int) -> dict[str, int]:
    """Counts of a finished run, ``lost`` and ``double`` among them; every message of its topics is read.

    ``n_refused`` of those sent must be dead letters. A payment over the threshold without its alert counts as lost.
    """
    topics = settings.kafka.topics
    places: list[tuple[int, int]] = []
    n_due = 0
    for record in read_records(settings, topics.scored):
        places.append((int(_found(_PARTITION, record.value)[1]), int(_found(_OFFSET, record.value)[1])))
        n_due += float(_found(_RISK, record.value)[1]) >= settings.policy.alert_threshold
    n_scored = len(places)
    for record in read_records(settings, topics.dead):
        place = _found(_DEAD_KEY, record.key)
        places.append((int(place[1]), int(place[2])))
    alerts = [_found(_ALERT_ID, record.value)[1] for record in read_records(settings, topics.alerts)]
    n_distinct, n_alerts = len(set(places)), len(set(alerts))
    return {
        "sent": n_sent,
        "scored": n_scored,
        "dead": len(places) - n_scored,
        "alerts": len(alerts),
        "wrongly_dead": abs(len(places) - n_scored - n_refused),
        "lost": n_sent - n_distinct + n_due - n_alerts,
        "double": len(places) - n_distinct + len(alerts) - n_alerts,
    }


def _found(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes]:
    match = pattern.search(text)
    if match is None:
        raise ValueError(f"nothing like {pattern.pattern!r} in {text[:200]!r}")
    return match
