"""Python workers that fork warm (spark.python.daemon.module).

Spark forks its workers from a daemon and runs a full garbage collection in them after every task. What is imported and
compiled here, before the first fork, is shared by all of them; frozen, it is no work for the collector either.
"""

from __future__ import annotations

import gc

import numpy as np
import pyspark.worker  # noqa: F401 - what every worker runs
from pyspark import daemon

import features.spark  # noqa: F401 - what our own steps import
import jobs.tally  # noqa: F401
import models.spark  # noqa: F401
from features.catalogue import FeatureSet
from features.event import HEAD
from features.kernel import compute
from models.flat_forest import FlatForest


def warm() -> None:
    """Load what was compiled, of features, scores and reasons. Nothing may start a thread: a fork would lose it."""
    stump = FlatForest(
        roots=np.array([0], np.uint32),
        child=np.array([1, 1, 2], np.uint32),
        feature=np.zeros(3, np.uint32),
        threshold=np.array([0.0, np.inf, np.inf], np.float32),
        value=np.array([0.0, -1.0, 1.0]),
        cover=np.array([2.0, 1.0, 1.0]),
        depth=1,
        n_features=1,
    )
    rows = np.array([[-1.0], [1.0]], np.float32)
    stump.predict(rows)
    stump.contributions(rows)
    overtaken = np.zeros(2, HEAD)
    overtaken["arrival"] = [1, 0]
    compute(np.zeros(2, np.int64), overtaken, np.ones(2, bool), FeatureSet())


if __name__ == "__main__":
    warm()
    gc.collect()
    gc.freeze()
    daemon.manager()
