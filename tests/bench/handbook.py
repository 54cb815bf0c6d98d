"""The windows of a user against the definitions of the Fraud Detection Handbook, computed by pandas instead.

    python -m tests.bench.handbook transactions.parquet features/

``features/`` is what ``tidewatch backfill --input transactions.parquet --output features/`` wrote with windows of 24 h,
7 d and 30 d. The handbook counts a card's payments, and takes their mean, over the 1, 7 and 30 days up to and including
each payment: a rolling window that is open on the left. Rows that share user and second are left out: their order is
arbitrary there.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import pandas as pd

WINDOWS: Final = {"24h": "1D", "7d": "7D", "30d": "30D"}


def differing(payments: pd.DataFrame, features: pd.DataFrame) -> dict[str, int]:
    """How many payments differ, for each feature compared."""
    payments = payments.sort_values(["user_id", "timestamp"], kind="stable")
    tied = payments.duplicated(["user_id", "timestamp"], keep=False).to_numpy()
    served = features.set_index("transaction_id").loc[payments["transaction_id"]]
    cents = payments.assign(cents=(payments["amount"] * 100).round())
    rolling = cents.set_index("timestamp").groupby("user_id")["cents"].rolling
    found = {}
    for name, window in WINDOWS.items():
        count, total = rolling(window).count().to_numpy(), rolling(window).sum().to_numpy() / 100
        for feature, expected in ((f"count_{name}", count), (f"mean_amount_{name}", total / count)):
            wrong = ~np.isclose(served[feature].to_numpy(), expected, rtol=0, atol=1e-6)
            found[feature] = int((wrong & ~tied).sum())
    return found


def main() -> int:
    """Print the differences; 1 if there is one."""
    payments, features = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
    result = differing(payments, features)
    for name, n in result.items():
        sys.stdout.write(f"{name}: {n:,} of {len(payments):,} payments differ\n")
    return int(any(result.values()) or len(features) != len(payments))


if __name__ == "__main__":
    sys.exit(main())
