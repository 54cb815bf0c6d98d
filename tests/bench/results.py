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
    found: Result = {name: median(sample[name] for sample in samples) for name in numbers(samples[0]) if name in common}
    return found | {"samples": list(samples)}


def numbers(result: Result) -> Result:
    """What is a number in it."""
    return {name: value for name, value in result.items() if isinstance(value, int | float)}


def unaccounted(results: Any) -> int:
    """How many records were lost, double or wrongly refused in all measurements together."""
    if isinstance(results, dict):
        counts = results.get("accounting", {})
        here = sum(counts.get(name, 0) for name in ("lost", "double", "wrongly_dead"))
        return here + sum(unaccounted(value) for value in results.values())
    return sum(map(unaccounted, results)) if isinstance(results, list) else 0


def write(results: Result, file: Path) -> None:
    """Replaces the results of an earlier run: figures of one file belong to one run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n")
