"""The tutorial way on the same backlog, machine and day; what it lacks is said in tutorial.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from tests.bench import tutorial
from tests.bench.backlog import Backlog
from tests.bench.batches import Progress
from tests.bench.bed import job
from tests.bench.drain import TIMEOUT_S, figures
from tests.bench.usage import Usage

ROWS_PER_BATCH: Final = 5_000  # of the row-wise form, which takes milliseconds for each


def baseline(backlog: Backlog, scoring: str) -> dict[str, Any]:
    """``pandas`` drains the whole backlog; ``row`` three micro-batches of it, of which the last two are ``_warm``."""
    place = backlog.fresh(f"tutorial-{scoring}")
    n_events = backlog.n_events
    if scoring == "row":
        place = place.with_settings(stream={"max_offsets_per_trigger": ROWS_PER_BATCH})
        n_events = min(3 * ROWS_PER_BATCH, n_events)
    settings = place.settings
    progress = Progress(Path(settings.stream.checkpoint_dir) / tutorial.QUERY, settings.kafka.topics.raw)
    with (
        job(place, scoring, module="tests.bench.tutorial") as running,
        Usage(running.pid, place.broker_pid) as usage,
    ):
        progress.wait(n_events, TIMEOUT_S, running.check)
        time.sleep(0.5)
        found = figures(running, usage, progress)
    found |= {name: place.n_messages(name) for name in ("scored", "alerts")}
    place.clear()
    return found
