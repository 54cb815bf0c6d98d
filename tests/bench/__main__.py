"""Measure Tidewatch on this machine: ``python -m tests.bench drain``, ``--help``; ``make bench`` measures everything.

Everything runs as a user runs it: a real broker, the real commands, the default settings. The machine must be quiet;
the load before the start is in the results.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Final

from jobs.settings import REPOSITORY
from tests.bench.report import letters, picture, table
from tests.bench.results import Result, unaccounted, write
from tests.bench.run import MEASUREMENTS, Plan, measure

RESULTS: Final = REPOSITORY / "var" / "bench" / "latest.json"


def main() -> int:
    """0 when every record is accounted for."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as with Ctrl-C, what was started is stopped
    started_s = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started_s:7.1f} s  {line}\n")

    chosen = MEASUREMENTS if "all" in options.what else tuple(options.what)
    sizes = (200, (200,), 5, 1) if options.quick else (options.users, options.rates, options.seconds, options.repeat)
    n_events = 3_000 if options.quick else options.events
    plan = Plan(chosen, n_events, *sizes, options.work)
    results: Result = {}
    try:
        measure(plan, say, results)
    finally:  # half an hour's figures are not thrown away with the last one
        results["lost_or_double"] = unaccounted(results)
        write(results, options.out)
    options.out.with_suffix(".md").write_text(table(results))
    picture(results, options.out.with_suffix(".png"))
    sys.stdout.write(f"{table(results)}\n{letters(results)}")
    say(f"results in {options.out}; lost or double: {results['lost_or_double']}")
    return int(results["lost_or_double"] > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="*", type=_measurement, default=["all"], help=", ".join(MEASUREMENTS))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--rates", type=_numbers, default=(1_000, 5_000), help="events a second, as in 1000,5000")
    parser.add_argument("--seconds", type=int, default=60, help="at each rate")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, and measures nothing")
    parser.add_argument(
        "--work", type=Path, default=RESULTS.parent / "work", help="emptied before and used for all data"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _measurement(name: str) -> str:
    if name not in (*MEASUREMENTS, "all"):
        raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(MEASUREMENTS)}, all")
    return name


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
