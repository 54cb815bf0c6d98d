"""What a process tree costs, watched from outside: CPU seconds and memory of driver, JVM and Python workers.

    python -m jobs.cli score ──► java ──► python worker daemon ──► python workers, forked
          driver                 jvm                        workers

CPU is user and system time, that of ended workers included, for which their daemon has waited. Memory is proportional
(PSS), since forked workers share most of their pages with the daemon.
"""

from __future__ import annotations

import bisect
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

import psutil

from tests.bench.watcher import Watcher

DRIVER, JVM, WORKERS, BROKER = "driver", "jvm", "workers", "broker"
CPU_EVERY_S: Final = 0.2
MEMORY_EVERY_S: Final = 1.0  # and the tree is looked for anew, which reads every process of the machine
_MB: Final = 2**20


class Sample(NamedTuple):
    """CPU seconds since each process began, by role, at a moment of the wall clock."""

    at_s: float
    cpu_s: Counter[str]


class Usage(Watcher):
    """Watches the tree below ``pid``, and the broker if there is one, while the ``with`` block runs."""

    def __init__(self, pid: int, broker_pid: int | None = None) -> None:
        super().__init__()
        self._root = psutil.Process(pid)
        self._broker = psutil.Process(broker_pid) if broker_pid else None
        self.samples: list[Sample] = []
        self.memory_mb: list[Counter[str]] = []

    def cpu_s(self, start_s: float, end_s: float) -> Counter[str]:
        """CPU seconds by role between two moments, from the samples nearest to them."""
        begin, end = self._nearest(start_s), self._nearest(end_s)
        return Counter({role: end.cpu_s[role] - begin.cpu_s[role] for role in end.cpu_s})

    def cpu_us_per_event(self, start_s: float, end_s: float, n_events: int) -> dict[str, float]:
        """The same per event: Tidewatch's own in all, its JVM and Python, and the broker apart."""
        used = self.cpu_s(start_s, end_s)
        cost = {role: used[role] * 1e6 / n_events for role in (DRIVER, JVM, WORKERS, BROKER)}
        python = cost[DRIVER] + cost[WORKERS]
        found = {"cpu_us_per_event": cost[JVM] + python, "jvm_cpu_us_per_event": cost[JVM]}
        return found | {"python_cpu_us_per_event": python, "broker_cpu_us_per_event": cost[BROKER]}

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

    def watch(self) -> None:
        """Look until the end."""
        next_memory_s = 0.0
        roles = self._roles()
        while not self.ended.wait(CPU_EVERY_S):
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
            own_and_ended = process.cpu_times()[:4]  # user and system, then those of ended children
            found[role] += sum(own_and_ended if role == WORKERS else own_and_ended[:2])
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
