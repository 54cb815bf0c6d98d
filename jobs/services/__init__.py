"""Programs Tidewatch needs beside itself, run on this machine, and the topics in one of them."""
from __future__ import annotations

from collections.abc import Callable

from jobs.services.background import BackgroundJob
from jobs.services.broker import Broker
from jobs.services.service import Service
from jobs.settings import Settings


def local_services(settings: Settings, say: Callable[[str], None] = lambda _: None) -> list[Service]:
    """Every service there is, in the order of starting; `say` is told each step as it begins."""
    return [Broker(settings, say)]


def background_jobs(settings: Settings) -> list[Service]:
    """The streaming jobs that can run detached on this machine."""
    return [BackgroundJob(settings, name) for name in ("score", "archive")]
