"""Hour and weekday on the payer's clock."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.clock import NO_OFFSET

NIGHT_FROM_H: Final = 22
NIGHT_UNTIL_H: Final = 6
_HOUR_MS: Final = 3_600_000
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday, Monday being 0


def columns(event_ms: NDArray[np.int64], utc_offset_min: NDArray[np.int16]) -> dict[str, NDArray[np.float64]]:
    """Calendar features; a timestamp without a zone of its own is read in UTC."""
    offset_min = np.where(utc_offset_min == NO_OFFSET, 0, utc_offset_min.astype(np.int64))
    hours = (event_ms + offset_min * 60_000) // _HOUR_MS
    hour, weekday = hours % 24, (hours // 24 + _EPOCH_WEEKDAY) % 7
    return {
        "hour": hour * 1.0,
        "weekday": weekday * 1.0,
        "is_weekend": (weekday >= 5) * 1.0,
        "is_night": ((hour >= NIGHT_FROM_H) | (hour < NIGHT_UNTIL_H)) * 1.0,
    }
