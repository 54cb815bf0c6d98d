"""The results file: medians over repeated measurements, with every sample beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]


def medians(samples: Sequence[Result]) -> Result:
    """The median of every number that the samples have in common, and the samples."""
    common = set.intersection(*(set(sample) for sample in samples))
    names = [name for name in samples[0] if name in common and isinstance(samples[0][name], int | float)]
    found: Result = {name: median(sample[name] for sample in samples) for name in names}
    return found | {"samples": list(samples)}


def unaccounted(results: Any) -> int:
    """How many records were lost or double in all measurements together."""
    if isinstance(results, dict):
        here = results["accounting"]["lost"] + results["accounting"]["double"] if "accounting" in results else 0
        return here + sum(unaccounted(value) for value in results.values())
    return sum(map(unaccounted, results)) if isinstance(results, list) else 0


def write(results: Result, file: Path) -> None:
    """Replaces the results of an earlier run: figures of one file belong to one run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n")
