"""The cost of a process tree, from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from tests.bench.usage import DRIVER, JVM, WORKERS, Sample, Usage

BUSY = "import time; end = time.process_time() + 1.0\nwhile time.process_time() < end: pass\ntime.sleep(60)"


def test_a_busy_second_of_a_child_is_counted_once_and_under_its_role() -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        started_s = time.time()
        with Usage(process.pid) as usage:
            while usage.samples[-1:] == [] or usage.samples[-1].cpu_s[WORKERS] < 1.0:
                time.sleep(0.1)
        used = usage.cpu_s(started_s, time.time())
        child = psutil.Process(process.pid).children()[0]
        process.kill()
        child.kill()
    assert used[WORKERS] == pytest.approx(1.0, abs=0.3)
    assert used[JVM] == 0
    assert usage.peak_mb()["peak_driver_mb"] > 1


def test_cost_per_event_is_that_of_the_stretch_and_python_is_driver_and_workers() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        usage = Usage(process.pid)
        process.kill()
    usage.samples = [
        Sample(10.0, Counter({DRIVER: 1.0, JVM: 5.0, WORKERS: 2.0})),
        Sample(20.0, Counter({DRIVER: 2.0, JVM: 9.0, WORKERS: 5.0})),
        Sample(30.0, Counter({DRIVER: 9.0, JVM: 9.5, WORKERS: 9.0})),
    ]
    cost = usage.cpu_us_per_event(10.1, 19.9, n_events=1_000_000)
    assert cost == {
        "cpu_us_per_event": 8.0,
        "jvm_cpu_us_per_event": 4.0,
        "python_cpu_us_per_event": 4.0,
        "broker_cpu_us_per_event": 0.0,
    }
