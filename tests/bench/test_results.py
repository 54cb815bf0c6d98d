"""What is said about repeated measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.report import letters, picture, table
from tests.bench.results import medians, unaccounted, write

RUN = {"events_per_s": 100.0, "cpu_us_per_event": 30.0, "python_cpu_us_per_event": 12.5, "peak_memory_mb": 2048.0}
LATENCY = {"p50_ms": 500.0, "p95_ms": 800.0, "p99_ms": 990.0, "max_ms": 1250.0, "raw_ms": [400.0, 500.0, 1250.0]}


def test_the_median_of_each_number_stands_beside_every_sample() -> None:
    samples = [{"events_per_s": rate, "batches": []} for rate in (3.0, 100.0, 2.0)]
    assert medians(samples) == {"events_per_s": 3.0, "samples": samples}


def test_a_number_that_one_sample_lacks_has_no_median() -> None:
    assert "events_per_s_warm" not in medians([{"events_per_s_warm": 1.0}, {"events_per_s": 1.0}])


@pytest.mark.parametrize("wrong", ["lost", "double", "wrongly_dead"])
def test_a_fault_in_any_sample_of_any_measurement_is_counted(wrong: str) -> None:
    clean = {"accounting": {"sent": 9, "lost": 0, "double": 0}}
    faulty = {"accounting": {"sent": 9, "lost": 0, "double": 0} | {wrong: 2}}
    assert unaccounted({"drain": {"samples": [clean, faulty]}, "latency": clean}) == 2


def test_results_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "bench" / "latest.json"
    write({"drain": {}}, file)
    write({"latency": {}}, file)
    assert json.loads(file.read_text()) == {"latency": {}}


def test_the_table_and_the_bars_show_what_was_measured_and_nothing_else() -> None:
    results = {
        "drain": RUN,
        "baseline": {"row": RUN | {"events_per_s": 50.0}},
        "latency": {"1000": LATENCY, "warm_up_s": 20},
    }
    assert table(results).splitlines()[2:] == [
        "| drain | 100 | 30.0 | 12.5 | 2,048 |",
        "| tutorial, row by row | 50 | 30.0 | 12.5 | 2,048 |",
        "",
        "| event to alert, archive running | p50 | p95 | p99 | most |",
        "|---|---:|---:|---:|---:|",
        "| 1,000 events/s | 500 ms | 800 ms | 990 ms | 1,250 ms |",
    ]
    assert [line.count("#") for line in letters(results).splitlines()] == [0, 40, 20]


def test_a_picture_is_drawn_of_whatever_was_measured(tmp_path: Path) -> None:
    for name, results in {"all": {"drain": RUN, "latency": {"20": LATENCY}, "users": {"9": RUN}}, "none": {}}.items():
        picture(results, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
