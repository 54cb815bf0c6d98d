"""The bench itself, with a tiny load: that it runs to its end, and that what it writes is whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.settings import REPOSITORY


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.kafka
@pytest.mark.timeout(900)
def test_a_tiny_bench_accounts_for_every_record_and_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "latest.json"
    command = ["-m", "tests.bench", "latency", "--quick", "--work", str(tmp_path / "work"), "--out", str(out)]
    done = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    at_200 = results["latency"]["200"]
    assert results["lost_or_double"] == 0
    assert results["latency"]["accounting"]["sent"] == 3_000 + at_200["n_sent"]
    assert 0 < at_200["scored"]["p50_ms"] <= at_200["scored"]["p99_ms"] <= at_200["scored"]["max_ms"]
    assert results["machine"]["commit"]
    assert "event to alert" in out.with_suffix(".md").read_text()
    assert out.with_suffix(".png").stat().st_size > 10_000
