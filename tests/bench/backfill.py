"""Backfill: the features of the same payments from the archive, and from a file, by the commands a user types."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.dataset as ds

from jobs.backfill import FEATURES_TABLE
from jobs.rebuild import PLACE
from tests.bench.backlog import Backlog
from tests.bench.bed import Bed, job
from tests.bench.traffic import SPAN_MS
from tests.bench.usage import Usage

Say = Callable[[str], None]
_COUNTS: Final = re.compile(r"([\d,]+) payments, ([\d,]+) duplicates and ([\d,]+) dead letters")


def backfill(backlog: Backlog, n_repeats: int, say: Say) -> dict[str, list[dict[str, Any]]]:
    """Samples of ``archive`` (raw topic to Delta), ``backfill`` (Delta to features) and ``backfill_file``."""
    place = backlog.fresh("backfill")
    archived = _timed(place, backlog.n_events, "archive", "--once", "raw")
    file = place.folder / "payments.jsonl"
    rows = backlog.traffic.rows()
    with file.open("wb") as lines:
        for batch in backlog.traffic.messages(rows):
            lines.write(b"\n".join(batch.value) + b"\n")
    found: dict[str, list[dict[str, Any]]] = {"archive": [archived], "backfill": [], "backfill_file": []}
    for _ in range(n_repeats):
        found["backfill"].append(_from_archive(backlog, place))
        found["backfill_file"].append(_from_file(backlog, place, file))
        say(", ".join(f"{name} {samples[-1]['events_per_s']:,.0f} events/s" for name, samples in found.items()))
    file.unlink()
    place.clear()
    return found


def _from_archive(backlog: Backlog, place: Bed) -> dict[str, Any]:
    first_ms = backlog.traffic.end_ms - SPAN_MS
    first, last = (datetime.fromtimestamp(at_ms / 1000, UTC).date() for at_ms in (first_ms, backlog.traffic.end_ms))
    found = _timed(place, backlog.n_events, "backfill", "--from", f"{first}", "--to", f"{last}", "--again")
    table = ds.dataset(
        f"{place.settings.archive.table_dir}/{FEATURES_TABLE}", format="parquet", exclude_invalid_files=True
    )
    return found | {"accounting": _rows_once(table, backlog.n_events - backlog.n_refused)}


def _from_file(backlog: Backlog, place: Bed, file: Path) -> dict[str, Any]:
    output = place.folder / "features"
    found = _timed(place, backlog.n_events, "backfill", "--input", str(file), "--output", str(output))
    counts = _COUNTS.search(found["said"])
    n_rows = sum(int(count.replace(",", "")) for count in counts.groups()) if counts else 0
    return found | {"accounting": {"sent": backlog.n_events, "lost": backlog.n_events - n_rows, "double": 0}}


def _timed(place: Bed, n_events: int, *command: str) -> dict[str, Any]:
    """A command from the moment its Spark context is up to its end; ``_command`` is from the start of the program."""
    with job(place, *command) as running, Usage(running.pid, place.broker_pid) as usage:
        up_s = running.wait_for_spark()
        running.wait()
        end_s = time.time()
        said = running.last_line()
    return {
        "events_per_s": n_events / (end_s - up_s),
        "events_per_s_command": n_events / (end_s - running.started_s),
        **usage.cpu_us_per_event(up_s, end_s, n_events),
        **usage.peak_mb(),
        "said": said,
    }


def _rows_once(table: ds.Dataset, n_expected: int) -> dict[str, int]:
    places = table.to_table(columns=list(PLACE))
    keys = places[PLACE[0]].to_numpy().astype(np.int64) << 48 | places[PLACE[1]].to_numpy()
    n_distinct = len(np.unique(keys))
    return {"rows": len(keys), "lost": n_expected - n_distinct, "double": len(keys) - n_distinct}
