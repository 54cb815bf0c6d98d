"""The streaming jobs as programs of this machine: started detached, shown and stopped like services.

<var_dir>/services/<job>/
    log.txt         what the job says
    process.json    the running job
"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from jobs.services.processes import ProcessRecord, exclusive, spawn_detached, stop_processes
from jobs.services.service import ServiceStatus, State
from jobs.settings import REPOSITORY, Settings

STOP_PATIENCE_S = 90.0  # a running micro-batch may end first


class BackgroundJob:
    """One ``tidewatch`` command that runs until it is stopped."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.home: Path = settings.var_dir.resolve() / "services" / name
        self._record = self.home / "process.json"
        self._log_file = self.home / "log.txt"

    @property
    def is_used(self) -> bool:
        """Whether it was started here and not yet stopped."""
        return self._record.exists()

    def start(self) -> ServiceStatus:
        """Start it unless it runs; it says in its log how it gets on."""
        with exclusive(self.home / "lock"):
            if self._process() is None:
                command = [sys.executable, "-m", "jobs.cli", self.name]
                ProcessRecord.of(spawn_detached(command, self._log_file, REPOSITORY)).write(self._record)
        return self.status()

    def stop(self) -> bool:
        """Let it end its micro-batch, then make sure that it and its workers are gone. True if it ran."""
        with exclusive(self.home / "lock"):
            process = self._process()
            if process is not None:
                children = process.children(recursive=True)  # Spark and its workers, which a killed job would leave
                stop_processes([process], STOP_PATIENCE_S)
                stop_processes(children, 0)
            self._record.unlink(missing_ok=True)
        return process is not None

    def status(self) -> ServiceStatus:
        """Up as long as its process runs."""
        process = self._process()
        state = State.DOWN if process is None else State.UP
        return ServiceStatus(self.name, state, "", process.pid if process else None, self.home, self._log_file)

    def wipe(self) -> None:
        """Stop it and remove its log."""
        self.stop()
        self._log_file.unlink(missing_ok=True)

    def _process(self) -> psutil.Process | None:
        record = ProcessRecord.read(self._record)
        return record.process() if record else None
