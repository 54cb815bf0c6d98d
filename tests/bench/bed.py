"""Where the bench runs: a broker and folders of its own, the default settings, and jobs as a user starts them.

Only what keeps it apart from everything else on the machine differs from the defaults: folders, ports and topic names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from jobs.layers import ENV_PREFIX, leaves, merged, variable
from jobs.services.admin import kafka_admin
from jobs.services.broker import Broker
from jobs.services.processes import stop_processes
from jobs.services.topics import ensure_topics, topic_states
from jobs.settings import REPOSITORY, Settings, load_settings
from tests.conftest import free_port

STOP_PATIENCE_S: Final = 90.0
POLL_S: Final = 0.05
LOGS: Final = "logs"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Bed:
    """Settings, as overrides of the defaults, and the broker that runs under them."""

    overrides: dict[str, Any]
    broker_pid: int

    @property
    def settings(self) -> Settings:
        """As a job started here reads them."""
        return load_settings(**self.overrides)

    def fresh(self, name: str, *, raw: str | None = None) -> Bed:
        """Topics, checkpoints, tables and models of another run; ``raw`` is the raw topic of an earlier one."""
        names = ("raw", "scored", "alerts", "dead", "alert_batches")
        topics = {role: f"{name}-{role}" for role in names} | ({"raw": raw} if raw else {})
        folder = self.folder / name
        own = {
            "kafka": {"topics": topics},
            "stream": {"checkpoint_dir": str(folder / "checkpoints")},
            "archive": {"table_dir": str(folder / "delta")},
        }
        bed = Bed(merged(self.overrides, own), self.broker_pid)
        ensure_topics(bed.settings)
        return bed

    def with_settings(self, **more: Any) -> Bed:
        """The same place with some settings changed."""
        return Bed(merged(self.overrides, more), self.broker_pid)

    @property
    def folder(self) -> Path:
        """Everything of the bench is below it."""
        return Path(self.overrides["var_dir"])

    def clear(self) -> None:
        """Give the disk back: all topics of this run but the raw one, its checkpoints and tables."""
        settings = self.settings
        names = [name for role, name in settings.kafka.topics.model_dump().items() if role != "raw"]
        with kafka_admin(settings.kafka.client_options()) as admin:
            admin.delete_topics(names)
        shutil.rmtree(Path(settings.stream.checkpoint_dir).parent, ignore_errors=True)

    def env(self) -> dict[str, str]:
        """The environment that makes a program read these settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        jars = {name: value for name, value in os.environ.items() if name == f"{ENV_PREFIX}JARS_DIR"}
        plain = {key: value for key, value in self.overrides.items() if key != "spark"}
        own = {variable(path): str(value) for path, value in leaves(plain)}
        if "spark" in self.overrides:  # the names of Spark's settings have dots and capitals
            own[f"{ENV_PREFIX}SPARK__EXTRA"] = json.dumps(self.overrides["spark"]["extra"])
        python = {"PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))}
        return kept | jars | own | python

    def n_messages(self, role: str) -> int:
        """Records in the topic of that role; among alerts the end of each transaction counts as one."""
        settings = self.settings
        state = topic_states(settings)[getattr(settings.kafka.topics, role)]
        return state.n_messages if state else 0

    def changed(self) -> dict[str, Any]:
        """Every setting that is not the default, but for folders and ports."""
        named = {
            ".".join(path): value for path, value in leaves(self.overrides) if path[0] not in ("var_dir", "broker")
        }
        return {name: value for name, value in named.items() if not name.endswith("_dir")}


@contextmanager
def bed(folder: Path, say: Say) -> Iterator[Bed]:
    """An empty folder with a broker of its own, which is stopped at the end; only the logs stay."""
    if folder.exists():
        shutil.rmtree(folder)
    ports = {"port": free_port(), "controller_port": free_port()}
    overrides = {"var_dir": str(folder.resolve()), "broker": ports}
    broker = Broker(load_settings(**overrides), say)
    status = broker.start()
    try:
        yield Bed(overrides, status.pid or 0)
    finally:
        broker.stop()
        _clear_all_but_logs(folder)


def _clear_all_but_logs(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != LOGS:
            shutil.rmtree(entry)


@dataclass(frozen=True)
class Job:
    """A running program of ours."""

    process: subprocess.Popen[bytes]
    log: Path
    scratch: Path
    started_s: float

    @property
    def pid(self) -> int:
        """Of the Python driver, above the JVM and its workers."""
        return self.process.pid

    def check(self) -> None:
        """Raises RuntimeError with the end of its log when it has failed."""
        if self.process.poll():
            said = self.log.read_text(errors="replace").splitlines()[-15:]
            raise RuntimeError(f"{self.log.stem} ended with {self.process.returncode}:\n" + "\n".join(said))

    def wait(self) -> None:
        """Until it ends by itself, and well."""
        self.process.wait()
        self.check()

    def wait_for_spark(self) -> float:
        """Until its Spark context is up and has made its folder for Python; returns the time of the wall clock."""
        while not any(self.scratch.glob("*/pyspark-*")) and self.process.poll() is None:
            time.sleep(POLL_S)
        return time.time()

    def last_line(self) -> str:
        """What it said at the end."""
        return self.log.read_text(errors="replace").splitlines()[-1]


@contextmanager
def job(place: Bed, *arguments: str, module: str = "jobs.cli") -> Iterator[Job]:
    """``tidewatch <arguments>`` as a process of its own, stopped at the end as a user would."""
    name = f"{time.time_ns()}-{arguments[0].strip('-')}"
    log, scratch = place.folder / LOGS / f"{name}.txt", place.folder / "spark" / name
    log.parent.mkdir(exist_ok=True)
    scratch.mkdir(parents=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            env=place.env() | {"SPARK_LOCAL_DIRS": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Job(process, log, scratch, time.time())
    finally:
        _stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes]) -> None:
    children: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    stop_processes(children, 0)
