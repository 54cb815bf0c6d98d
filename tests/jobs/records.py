"""Messages as the score job sends them, made by hand."""
from __future__ import annotations

import base64
import json
from typing import Any

from features.catalogue import FeatureSet

MIDNIGHT = "2026-03-01T00:00:00.000Z"


def scored(raw_offset: int, chosen: FeatureSet, **changes: Any) -> dict[str, Any]:
    """A scored record of raw partition 0; feature number i has the value i + raw_offset / 1000."""
    record: dict[str, Any] = {
        "transaction_id": f"t{raw_offset}", "user_id": "u1", "amount": 12.5, "currency": "EUR", "amount_base": 13.75,
        "base_currency": "USD", "event_time": MIDNIGHT, "ingest_time": MIDNIGHT, "scored_time": MIDNIGHT,
        "merchant_id": "m1", "latitude": 48.1,
        "features": {name: number + raw_offset / 1000 for number, name in enumerate(chosen.names)},
        "member_scores": {"isolation_forest": 0.25}, "risk_score": 0.5, "risk_level": "MEDIUM",
        "recommendation": "REVIEW", "reason_codes": [],
        "versions": {"model": "m", "features": chosen.hash, "policy": "p", "rates": "r"},
        "query_id": "q", "batch_id": 0, "raw_partition": 0, "raw_offset": raw_offset,
    }
    return record | changes


def alert(raw_offset: int, chosen: FeatureSet, **changes: Any) -> dict[str, Any]:
    reason = {"code": "VELOCITY", "feature": "count_1m", "value": 9.0, "contribution": 0.4, "text": "9 in 1 min"}
    own = {"alert_id": f"a{raw_offset}", "reasons": [reason], "base_score": 0.1, "contributions": {"count_1m": 0.4}}
    return scored(raw_offset, chosen) | own | changes


def dead(offset: int, *reasons: str, value: bytes | None = b"{}") -> dict[str, Any]:
    encoded = None if value is None else base64.b64encode(value).decode()
    return {"topic": "raw", "partition": 0, "offset": offset, "ingest_time": MIDNIGHT, "reasons": list(reasons),
            "value_base64": encoded}


def encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()
