"""What one user costs who pays as often as the limit lets him, all day long, and in the worst order: CPU per payment.

python -m tests.hostile.disorder [payments an hour, by default 1000] [hours, by default 24]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FeatureSet
from features.event import HASHED, HEAD, Heads
from features.kernel import compute

Ints = NDArray[np.int64]
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
LOOKAHEAD_MS: Final = 3_900_000

# When each payment arrives, by when it is made; the order is all that counts.
ARRIVALS: Final[dict[str, Callable[[Ints, np.random.Generator], Ints]]] = {
    "in order": lambda at, rng: at,
    "1 in 20 up to 10 min late": lambda at, rng: at + (rng.random(len(at)) < 0.05) * rng.integers(0, 600_000, len(at)),
    "all up to 1 min late": lambda at, rng: at + rng.integers(0, MINUTE_MS, len(at)),
    "all up to 1 h late": lambda at, rng: at + rng.integers(0, HOUR_MS, len(at)),
    "each hour backwards": lambda at, rng: at // HOUR_MS * HOUR_MS + HOUR_MS - at % HOUR_MS,
    "the whole day backwards": lambda at, rng: -at,
}


def history(n_per_hour: int, hours: int, arrives: Callable[[Ints, np.random.Generator], Ints]) -> Heads:
    """One user's payments at random moments, of few values, so that every feature has work."""
    rng, n = np.random.default_rng(5), n_per_hour * hours
    heads = np.zeros(n, HEAD)
    at = np.sort(rng.integers(0, hours * HOUR_MS, n))
    heads["event_ms"], heads["exponent"] = at, 2
    heads["arrival"][np.argsort(arrives(at, rng), kind="stable")] = np.arange(n)
    heads["amount_minor"] = heads["amount_base_minor"] = rng.integers(100, 90_000, n)
    for number, name in enumerate(HASHED):
        heads[name] = rng.integers(1, 3 + number**3, n)
    heads["transaction_id"] = np.arange(1, n + 1)
    heads["latitude"], heads["longitude"] = rng.integers(-80, 80, (2, n))
    return heads


def main(n_per_hour: int = 1_000, hours: int = 24) -> None:
    """Print a line for each order of arrival."""
    for name, arrives in ARRIVALS.items():
        heads = history(n_per_hour, hours, arrives)
        user, new = np.zeros(len(heads), np.int64), np.ones(len(heads), bool)
        compute(user[:9], heads[:9], new[:9], FeatureSet(), LOOKAHEAD_MS, n_per_hour * 2)  # compiled before it is timed
        start = time.process_time()
        compute(user, heads, new, FeatureSet(), LOOKAHEAD_MS, len(heads) + 1)
        cpu_s = time.process_time() - start
        sys.stdout.write(f"{name:<27} {len(heads):,} payments {cpu_s:6.2f} s {cpu_s / len(heads) * 1e6:7.1f} us each\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
