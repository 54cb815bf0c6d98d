"""What `tidewatch up`, `down` and `status` ask of a local service."""
from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class State(StrEnum):
    UP = "up"
    DOWN = "down"
    NOT_ANSWERING = "not answering"


@dataclass(frozen=True)
class ServiceStatus:
    name: str
    state: State
    address: str
    pid: int | None
    home: Path
    log_file: Path

    @property
    def is_up(self) -> bool:
        return self.state is State.UP


class Service(Protocol):
    """A program of ours on this machine. Everything it writes is under `home`."""

    name: str
    home: Path

    @property
    def is_used(self) -> bool:
        """Whether the settings point at this service; otherwise one elsewhere is used and `up` leaves it alone."""

    def start(self) -> ServiceStatus:
        """Return once it really answers; at once when it already does. Leaves nothing running when it fails."""

    def stop(self) -> bool:
        """Leave no process of it, also one of a crashed command. True if there was one."""

    def status(self) -> ServiceStatus: ...

    def wipe(self) -> None:
        """Stop, then remove all its data and logs."""
