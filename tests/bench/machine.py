"""What a figure depends on besides the code: the machine, what else it was doing, and the versions of everything."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from jobs.java import require_java
from jobs.settings import REPOSITORY

PACKAGES: Final = ("pyspark", "delta-spark", "pyarrow", "numpy", "numba", "pandas", "scikit-learn", "kafka-python")


def facts() -> dict[str, Any]:
    """Taken before anything is started."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "java": _said([str(require_java()), "-version"]).splitlines()[0],
        **{name: version(name) for name in PACKAGES},
    }


def stolen_s() -> float:
    """CPU seconds that the host took for others since it began; a measurement with many of them is no measurement."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def _commit() -> str:
    changed = _said(["git", "status", "--porcelain", "--untracked-files=no"])
    return _said(["git", "rev-parse", "--short=12", "HEAD"]) + (" and uncommitted changes" if changed else "")


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _said(command: list[str]) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()
