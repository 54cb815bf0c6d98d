"""The cities of the simulated world: where they lie, what their clocks show and what they pay with."""
from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.money import EXPONENT

EARTH_RADIUS_KM = 6371.0

# utc_offset_min is the standard time, all year. units_per_usd is rough: what a shop asks for what costs 1 USD.
_TABLE = """\
city,country,latitude,longitude,utc_offset_min,currency,units_per_usd,population_m
New York,US,40.71,-74.01,-300,USD,1,18.8
Los Angeles,US,34.05,-118.24,-480,USD,1,12.5
Chicago,US,41.88,-87.63,-360,USD,1,8.9
Houston,US,29.76,-95.37,-360,USD,1,6.7
Miami,US,25.76,-80.19,-300,USD,1,6.2
Seattle,US,47.61,-122.33,-480,USD,1,3.5
Denver,US,39.74,-104.99,-420,USD,1,2.9
Atlanta,US,33.75,-84.39,-300,USD,1,6.1
Toronto,CA,43.65,-79.38,-300,CAD,1.35,6.4
Vancouver,CA,49.28,-123.12,-480,CAD,1.35,2.6
Mexico City,MX,19.43,-99.13,-360,MXN,18,9.2
Bogota,CO,4.71,-74.07,-300,COP,4000,7.9
Lima,PE,-12.05,-77.04,-300,PEN,3.7,6.0
Santiago,CL,-33.45,-70.67,-240,CLP,930,6.8
Buenos Aires,AR,-34.60,-58.38,-180,ARS,830,7.0
Sao Paulo,BR,-23.55,-46.63,-180,BRL,5,11.5
Rio de Janeiro,BR,-22.91,-43.17,-180,BRL,5,6.7
London,GB,51.51,-0.13,0,GBP,0.79,14.8
Manchester,GB,53.48,-2.24,0,GBP,0.79,2.8
Dublin,IE,53.35,-6.26,0,EUR,0.92,1.5
Lisbon,PT,38.72,-9.14,0,EUR,0.92,2.9
Madrid,ES,40.42,-3.70,60,EUR,0.92,6.7
Barcelona,ES,41.39,2.17,60,EUR,0.92,5.6
Paris,FR,48.86,2.35,60,EUR,0.92,11.1
Brussels,BE,50.85,4.35,60,EUR,0.92,2.1
Amsterdam,NL,52.37,4.90,60,EUR,0.92,2.5
Berlin,DE,52.52,13.41,60,EUR,0.92,4.7
Munich,DE,48.14,11.58,60,EUR,0.92,2.9
Zurich,CH,47.38,8.54,60,CHF,0.88,1.4
Milan,IT,45.46,9.19,60,EUR,0.92,4.3
Rome,IT,41.90,12.50,60,EUR,0.92,4.3
Vienna,AT,48.21,16.37,60,EUR,0.92,2.2
Prague,CZ,50.08,14.44,60,CZK,23,1.3
Warsaw,PL,52.23,21.01,60,PLN,4,1.8
Copenhagen,DK,55.68,12.57,60,DKK,6.9,1.4
Stockholm,SE,59.33,18.07,60,SEK,10.4,1.7
Oslo,NO,59.91,10.75,60,NOK,10.5,1.1
Athens,GR,37.98,23.73,120,EUR,0.92,3.2
Istanbul,TR,41.01,28.98,180,TRY,32,9.5
Cairo,EG,30.04,31.24,120,EGP,47,10.1
Casablanca,MA,33.57,-7.59,60,MAD,10,3.8
Lagos,NG,6.52,3.38,60,NGN,1300,8.6
Nairobi,KE,-1.29,36.82,180,KES,135,5.3
Johannesburg,ZA,-26.20,28.05,120,ZAR,18.7,6.2
Cape Town,ZA,-33.92,18.42,120,ZAR,18.7,4.9
Tel Aviv,IL,32.09,34.78,120,ILS,3.7,4.4
Dubai,AE,25.20,55.27,240,AED,3.67,3.6
Riyadh,SA,24.71,46.68,180,SAR,3.75,7.0
Kuwait City,KW,29.38,47.98,180,KWD,0.31,3.2
Mumbai,IN,19.08,72.88,330,INR,83,12.5
Bengaluru,IN,12.97,77.59,330,INR,83,8.4
Bangkok,TH,13.76,100.50,420,THB,35,8.0
Singapore,SG,1.35,103.82,480,SGD,1.35,5.9
Jakarta,ID,-6.21,106.85,420,IDR,15600,10.6
Manila,PH,14.60,120.98,480,PHP,56,8.5
Hong Kong,HK,22.32,114.17,480,HKD,7.8,7.5
Shanghai,CN,31.23,121.47,480,CNY,7.2,12.9
Taipei,TW,25.03,121.57,480,TWD,31,7.0
Seoul,KR,37.57,126.98,540,KRW,1330,9.4
Tokyo,JP,35.68,139.69,540,JPY,149,22.0
Osaka,JP,34.69,135.50,540,JPY,149,10.0
Sydney,AU,-33.87,151.21,600,AUD,1.52,5.3
Auckland,NZ,-36.85,174.76,720,NZD,1.63,1.7
"""


@dataclass(frozen=True)
class Cities:
    """One array per column; a city is its position in them."""

    name: NDArray[np.object_]
    country: NDArray[np.object_]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    utc_offset_min: NDArray[np.int64]
    currency: NDArray[np.object_]
    units_per_usd: NDArray[np.float64]
    population_m: NDArray[np.float64]
    minor_digits: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.name)

    def distance_km(self, city: int) -> NDArray[np.float64]:
        """From one city to each, over the sphere (haversine)."""
        latitude, longitude = np.radians(self.latitude), np.radians(self.longitude)
        half_lat, half_lon = (latitude - latitude[city]) / 2, (longitude - longitude[city]) / 2
        chord = np.sin(half_lat) ** 2 + np.cos(latitude) * np.cos(latitude[city]) * np.sin(half_lon) ** 2
        return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(chord))


def _load() -> Cities:
    rows = list(csv.DictReader(_TABLE.splitlines()))
    texts = {name: np.array([row[name] for row in rows], object) for name in ("city", "country", "currency")}
    numbers = {name: np.array([float(row[name]) for row in rows])
               for name in ("latitude", "longitude", "units_per_usd", "population_m")}
    return Cities(name=texts["city"], country=texts["country"], currency=texts["currency"], **numbers,
                  utc_offset_min=np.array([int(row["utc_offset_min"]) for row in rows]),
                  minor_digits=np.array([EXPONENT[row["currency"]] for row in rows]))


CITIES = _load()
