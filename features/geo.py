"""Distances on the globe."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_KM: Final = 6371.0088  # mean radius, IUGG

Degrees = NDArray[np.float64]


def haversine_km(lat1: Degrees, lon1: Degrees, lat2: Degrees, lon2: Degrees) -> NDArray[np.float64]:
    """Great-circle distance (haversine formula, R. W. Sinnott, Sky and Telescope 68, 1984); NaN where a degree is."""
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    half_chord = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(lon2 - lon1) / 2) ** 2
    arc: NDArray[np.float64] = np.arcsin(np.sqrt(np.clip(half_chord, 0.0, 1.0)))
    return 2 * EARTH_RADIUS_KM * arc
