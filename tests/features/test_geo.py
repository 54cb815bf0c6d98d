"""Distances, against known ones and against another formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.geo import EARTH_RADIUS_KM, haversine_km
from tests.features.oracle import _great_circle_km

QUARTER_KM = EARTH_RADIUS_KM * np.pi / 2
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(haversine_km(*(np.array([degree]) for degree in (*a, *b)))[0])


@pytest.mark.parametrize(("a", "b", "km"), [
    ((0, 0), (0, 0), 0),
    ((0, 0), (0, 90), QUARTER_KM),
    ((0, 0), (90, 0), QUARTER_KM),
    ((0, 0), (0, 180), 2 * QUARTER_KM),
    ((90, 0), (-90, 0), 2 * QUARTER_KM),
    ((90, 10), (90, -170), 0),
    ((0, 179.5), (0, -179.5), QUARTER_KM / 90),
    ((0, 180), (0, -180), 0),
    ((60, 0), (60, 180), 2 * QUARTER_KM / 3),
])
def test_distances_that_geometry_gives(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    assert distance(a, b) == pytest.approx(km, abs=1e-6)


@pytest.mark.parametrize(("a", "b", "km"), [
    ((52.5200, 13.4050), (48.8566, 2.3522), 878),  # Berlin, Paris
    ((51.5074, -0.1278), (40.7128, -74.0060), 5_570),  # London, New York
    ((-33.8688, 151.2093), (-34.6037, -58.3816), 11_800),  # Sydney, Buenos Aires, over the date line
])
def test_distances_between_cities_are_those_of_an_atlas(
    a: tuple[float, float], b: tuple[float, float], km: float
) -> None:
    assert distance(a, b) == pytest.approx(km, rel=0.003)


@settings(max_examples=300, deadline=None)
@given(a=PLACES, b=PLACES)
def test_the_distance_is_that_between_unit_vectors_and_the_same_both_ways(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    assert distance(a, b) == pytest.approx(_great_circle_km(a, b), rel=1e-6, abs=1e-3)
    assert distance(a, b) == distance(b, a)


@pytest.mark.parametrize("missing", range(4))
def test_without_a_coordinate_there_is_no_distance(missing: int) -> None:
    degrees = [1.0, 2.0, 3.0, 4.0]
    degrees[missing] = np.nan
    assert np.isnan(distance((degrees[0], degrees[1]), (degrees[2], degrees[3])))
