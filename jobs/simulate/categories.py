"""What people pay for: merchant categories, how often, how much, and over which channel."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ECOM, POS, CONTACTLESS, ATM = range(4)
CHANNELS = np.array(["ecom", "pos", "contactless", "atm"], object)


class Category(NamedTuple):
    """`share` of all payments; amounts are log-normal around `median_usd` with `sigma`."""

    mcc: str
    shop: str
    share: float
    median_usd: float
    sigma: float
    channel: int = POS


CATEGORIES = (
    Category("5411", "Market", 0.270, 32, 0.70),
    Category("5812", "Bistro", 0.130, 26, 0.60),
    Category("5814", "Burger", 0.110, 9, 0.45),
    Category("4111", "Transit", 0.080, 3, 0.45),
    Category("5541", "Fuel", 0.070, 42, 0.40),
    Category("5912", "Pharmacy", 0.050, 16, 0.70),
    Category("4121", "Cabs", 0.040, 14, 0.50),
    Category("5651", "Clothing", 0.035, 48, 0.75),
    Category("5311", "Department Store", 0.030, 40, 0.80),
    Category("5732", "Electronics", 0.012, 140, 0.90),
    Category("7011", "Hotel", 0.008, 160, 0.55),
    Category("5944", "Jewelry", 0.003, 220, 0.90),
    Category("6011", "Bank Cash", 0.030, 75, 0.50, ATM),
    Category("5815", "Streaming", 0.050, 10, 0.40, ECOM),
    Category("5999", "Marketplace", 0.055, 28, 0.85, ECOM),
    Category("4511", "Airways", 0.006, 260, 0.65, ECOM),
    Category("4829", "Money Transfer", 0.021, 90, 0.90, ECOM),
)
SHOP_NAMES = ("Corner", "Central", "Royal", "Green", "Sunrise", "Old Town", "Harbour", "Golden", "Metro", "Family",
              "Station", "Park", "Blue", "Union", "Grand", "Village", "City", "Star", "Garden", "Express")

SHARE = np.array([category.share for category in CATEGORIES])
SHARE = SHARE / SHARE.sum()
MCC = np.array([category.mcc for category in CATEGORIES], object)
LOG_MEDIAN_USD = np.log([category.median_usd for category in CATEGORIES])
SIGMA = np.array([category.sigma for category in CATEGORIES])
CHANNEL = np.array([category.channel for category in CATEGORIES])
TRANSFER = [category.shop for category in CATEGORIES].index("Money Transfer")


def positions(*shops: str) -> NDArray[np.int64]:
    """The categories with these kinds of shop."""
    return np.array([position for position, category in enumerate(CATEGORIES) if category.shop in shops])
