"""What a process tree costs, watched from outside: CPU seconds and memory of driver, JVM and Python workers.

    python -m jobs.cli score ──► java ──► python worker daemon ──► python workers, forked
          driver                 jvm                        workers

CPU is user and system time, that of ended children included once their parent has waited for them. Memory of forked
workers is proportional (PSS), since they share most of their pages with the daemon.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Final, NamedTuple, Self

import psutil

DRIVER, JVM, WORKERS, BROKER = "driver", "jvm", "workers", "broker"
CPU_EVERY_S: Final = 0.2
MEMORY_EVERY_S: Final = 1.0  # and the tree is looked for anew, which reads every process of the machine
_MB: Final = 2**20


class Sample(NamedTuple):
    """CPU seconds since each process began, by role, at a moment of the wall clock."""

    at_s: float
    cpu_s: Counter[str]


class Usage:
    """Watches the tree below ``pid``, and the broker if there is one, while the ``with`` block runs."""

    def __init__(self, pid: int, broker_pid: int | None = None) -> None:
        self._root = psutil.Process(pid)
        self._broker = psutil.Process(broker_pid) if broker_pid else None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.samples: list[Sample] = []
        self.memory_mb: list[Counter[str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def cpu_s(self, start_s: float, end_s: float) -> Counter[str]:
        """CPU seconds by role between two moments, from the samples nearest to them."""
        begin, end = self._nearest(start_s), self._nearest(end_s)
        return Counter({role: end.cpu_s[role] - begin.cpu_s[role] for role in end.cpu_s})

    def cpu_us_per_event(self, start_s: float, end_s: float, n_events: int) -> dict[str, float]:
        """The same per event: Tidewatch's own in all, its JVM and Python, and the broker apart."""
        cost = {role: seconds * 1e6 / n_events for role, seconds in self.cpu_s(start_s, end_s).items()}
        python = cost[DRIVER] + cost[WORKERS]
        found = {"cpu_us_per_event": cost[JVM] + python, "jvm_cpu_us_per_event": cost[JVM]}
        return found | {"python_cpu_us_per_event": python, "broker_cpu_us_per_event": cost.get(BROKER, 0.0)}

    def peak_mb(self) -> dict[str, float]:
        """Driver, JVM and workers together when they held most, and each at its own most."""
        peaks: Counter[str] = Counter()
        for moment in self.memory_mb:
            peaks |= moment
        total = max((sum(moment[role] for role in (DRIVER, JVM, WORKERS)) for moment in self.memory_mb), default=0.0)
        return {"peak_memory_mb": total} | {f"peak_{role}_mb": peaks[role] for role in (DRIVER, JVM, WORKERS)}

    def _nearest(self, at_s: float) -> Sample:
        position = bisect.bisect_left(self.samples, at_s, key=lambda sample: sample.at_s)
        around = self.samples[max(position - 1, 0) : position + 1]
        return min(around, key=lambda sample: abs(sample.at_s - at_s))

    def _watch(self) -> None:
        next_memory_s = 0.0
        roles = self._roles()
        while not self._ended.wait(CPU_EVERY_S):
            if time.monotonic() >= next_memory_s:
                roles = self._roles()
                self.memory_mb.append(_pss_mb(roles))
                next_memory_s = time.monotonic() + MEMORY_EVERY_S
            self._keep(Sample(time.time(), _cpu_s(roles)))

    def _keep(self, sample: Sample) -> None:
        """A process that ends between two looks would take its time with it, so no count ever falls."""
        before = self.samples[-1].cpu_s if self.samples else Counter()
        self.samples.append(Sample(sample.at_s, before | sample.cpu_s))

    def _roles(self) -> list[tuple[str, psutil.Process]]:
        try:
            found = [(DRIVER, self._root)]
            found += [(_role(child), child) for child in self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            found = []
        return found + ([(BROKER, self._broker)] if self._broker else [])


def _role(child: psutil.Process) -> str:
    try:
        return WORKERS if child.name().startswith("python") else JVM
    except psutil.NoSuchProcess:
        return JVM


def _cpu_s(roles: Iterable[tuple[str, psutil.Process]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for role, process in roles:
        try:
            found[role] += sum(process.cpu_times()[:4])  # own user and system, and those of ended children
        except psutil.NoSuchProcess:
            continue
    return found


def _pss_mb(roles: Iterable[tuple[str, psutil.Process]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for role, process in roles:
        try:
            found[role] += process.memory_full_info().pss / _MB
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
