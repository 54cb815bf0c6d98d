"""What a score and an explanation cost on this machine: ``python -m tests.bench.scoring``.

Trains the default forest on made-up payments; one thread, best of nine runs. Scoring is timed per row, explaining per
explained row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import numpy as np

from models.bundle import Bundle
from models.isolation_forest import IsolationForest
from models.training import Recipe, TrainingSet, fit_bundle
from tests.models.traffic import FEATURES, ordinary, planted


def main() -> None:
    bundle = train()
    rows = np.random.default_rng(3).permutation(np.vstack([ordinary(19_800, seed=5), planted(200, seed=6)]))
    for n_rows in (1, 1_000, 10_000, 20_000):
        block = np.ascontiguousarray(rows[:n_rows])
        print(f"score    {n_rows:>6} rows  {seconds(bundle.score, block) / n_rows * 1e6:8.2f} us a row")
    for n_rows in (1, 10, 100):
        print(f"explain  {n_rows:>6} rows  {seconds(bundle.explain, rows[:n_rows]) / n_rows * 1e3:8.3f} ms a row")


def train() -> Bundle:
    matrix = np.vstack([ordinary(99_000), planted(1_000)])
    now = datetime.now(UTC)
    rows = TrainingSet(matrix, FEATURES, now, now)
    recipe = Recipe("isolation_forest", IsolationForest.fit)
    return fit_bundle(rows, [recipe], contamination=0.01, seed=7, created_at=now)


def seconds(work: Callable[[np.ndarray], object], rows: np.ndarray) -> float:
    """The least of nine runs after a first one that compiles."""
    work(rows)
    return min(_timed(work, rows) for _ in range(9))


def _timed(work: Callable[[np.ndarray], object], rows: np.ndarray) -> float:
    start = perf_counter()
    work(rows)
    return perf_counter() - start


if __name__ == "__main__":
    main()
