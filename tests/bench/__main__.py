"""Measure Tidewatch on this machine: ``python -m tests.bench [drain|all] ...``; ``make bench`` measures everything.

Everything runs as a user runs it: a real broker, the real commands, the default settings. The machine must be quiet;
the load before the start is in the results.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from jobs.settings import REPOSITORY
from tests.bench.results import unaccounted, write
from tests.bench.run import MEASUREMENTS, Plan, measure

RESULTS: Final = REPOSITORY / "var" / "bench" / "latest.json"


def main() -> int:
    """0 when every record is accounted for."""
    options = _options()
    started_s = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started_s:7.1f} s  {line}\n")

    chosen = MEASUREMENTS if "all" in options.what else tuple(options.what)
    plan = Plan(chosen, options.events, options.users, options.repeat, options.work)
    results = measure(plan, say)
    results["lost_or_double"] = unaccounted(results)
    write(results, options.out)
    say(f"results in {options.out}; lost or double: {results['lost_or_double']}")
    return int(results["lost_or_double"] > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="*", default=["all"], choices=[*MEASUREMENTS, "all"])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--work", type=Path, default=RESULTS.parent / "work", help="emptied before and used for all data"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
