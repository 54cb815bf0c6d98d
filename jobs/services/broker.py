"""A real Kafka broker on this machine: one node, KRaft, from its own jars.

<var_dir>/services/kafka/
    server.properties   conf/broker/server.properties, filled in
    data/               topics; formatted.json beside it says who formatted it
    log/                broker.log and its last three; console.log holds what the JVM itself says
    process.json        the running broker
"""
from __future__ import annotations

import os
import re
import shutil
import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from jobs.errors import ConfigError, ServiceDied, ServiceError
from jobs.jars import ensure_jars
from jobs.java import require_java
from jobs.services.admin import answers
from jobs.services.checks import check_disk, check_loopback, check_memory, check_port
from jobs.services.processes import (
    ProcessRecord,
    exclusive,
    find_by_arguments,
    is_alive,
    last_words,
    spawn_detached,
    stop_processes,
)
from jobs.services.service import ServiceStatus, State
from jobs.services.storage import prepare_storage
from jobs.settings import Settings

MAIN_CLASS = "kafka.Kafka"
START_TIMEOUT_S = 120.0  # two or three seconds are usual; much more on a loaded machine, or after a crash
STOP_PATIENCE_S = 20.0  # it writes its logs out and is gone within a second, unless the disk is busy


class Broker:
    name = "kafka"

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
        """`say` is told each step as it begins."""
        self.home = settings.var_dir.resolve() / "services" / "kafka"
        self.address = f"{settings.broker.host}:{settings.broker.port}"
        self._settings = settings
        self._say = say
        self._client_options = settings.kafka.client_options() | {"bootstrap_servers": [self.address]}
        self._lock = self.home / "lock"
        self._record = self.home / "process.json"
        self._properties = self.home / "server.properties"
        self._data_dir = self.home / "data"
        self._log_file = self.home / "log" / "broker.log"
        self._console_log = self._log_file.with_name("console.log")

    @property
    def is_used(self) -> bool:
        return self.address in self._settings.kafka.bootstrap_servers.split(",")

    def start(self) -> ServiceStatus:
        with exclusive(self._lock):
            running = self._processes()
            if running:
                self._check_still_as_configured()
                self._wait_until_it_answers(running[0])
            else:
                self._launch()
        return self.status()

    def stop(self) -> bool:
        with exclusive(self._lock):
            processes = self._processes()
            stop_processes(processes, STOP_PATIENCE_S)
            self._record.unlink(missing_ok=True)
        return bool(processes)

    def status(self) -> ServiceStatus:
        processes = self._processes()
        running = State.UP if processes and answers(self._client_options) else State.NOT_ANSWERING
        return ServiceStatus(
            name=self.name, state=running if processes else State.DOWN, address=self.address,
            pid=processes[0].pid if processes else None, home=self.home, log_file=self._log_file)

    def wipe(self) -> None:
        self.stop()
        with exclusive(self._lock):
            for entry in self.home.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry != self._lock:
                    entry.unlink()

    def _processes(self) -> list[psutil.Process]:
        """The recorded broker, or, when the record is lost, every broker that was started from our folder."""
        record = ProcessRecord.read(self._record)
        recorded = record.process() if record else None
        return [recorded] if recorded else find_by_arguments(MAIN_CLASS, str(self._properties))

    def _check_still_as_configured(self) -> None:
        if self._properties.read_text() != self._rendered_properties():
            raise ServiceError(f"the broker is running with other settings than the present ones ({self._properties})",
                               "`tidewatch down`, then `tidewatch up`")

    def _check_machine(self) -> None:
        broker = self._settings.broker
        check_loopback(broker.host)
        check_port(broker.host, broker.port, "broker.port")
        check_port(broker.host, broker.controller_port, "broker.controller_port")
        check_memory(broker.heap_mb)
        check_disk(self.home)

    def _launch(self) -> None:
        self._check_machine()
        jars = ensure_jars("broker", self._settings)
        java = self._java_command(jars)
        self._log_file.parent.mkdir(exist_ok=True)
        self._properties.write_text(self._rendered_properties())
        prepare_storage(self._data_dir, self._properties, java, kafka_version(jars))
        self._say(f"starting Kafka at {self.address}")
        process = spawn_detached([*java, MAIN_CLASS, str(self._properties)], self._console_log, self.home)
        try:
            ProcessRecord.of(process).write(self._record)
            self._wait_until_it_answers(process)
        except BaseException:
            stop_processes([process], STOP_PATIENCE_S)
            self._record.unlink(missing_ok=True)
            raise

    def _java_command(self, jars: Sequence[Path]) -> list[str]:
        logging = self._settings.conf_dir / "broker" / "log4j2.properties"
        return [
            str(require_java()),
            f"-Xmx{self._settings.broker.heap_mb}m",
            "-XX:+UseSerialGC",  # the heap is small and the cores are Spark's
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={self._log_file.with_name('jvm_crash.log')}",
            f"-Dlog4j2.configurationFile={logging}",
            f"-Dtidewatch.log_dir={self._log_file.parent}",
            "-cp", os.pathsep.join(map(str, jars)),
        ]

    def _rendered_properties(self) -> str:
        broker = self._settings.broker
        template = self._settings.conf_dir / "broker" / "server.properties"
        try:
            return string.Template(template.read_text()).substitute(
                host=broker.host, port=broker.port, controller_port=broker.controller_port, data_dir=self._data_dir)
        except (OSError, KeyError, ValueError) as error:
            raise ConfigError(f"the broker's template {template} cannot be filled in: {error!r}",
                              "take it from the repository again; it may name host, port, controller_port, data_dir"
                              ) from error

    def _wait_until_it_answers(self, process: psutil.Process) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self._client_options):
            if not is_alive(process):
                raise ServiceDied(f"the broker ended while it started; its last words:\n{self._last_words()}",
                                  f"the whole log is {self._log_file}")
            if time.monotonic() > deadline:
                raise ServiceError(f"the broker, pid {process.pid}, does not answer after {START_TIMEOUT_S:.0f} s",
                                   f"look into {self._log_file}; then `tidewatch down` and `tidewatch up`")
            time.sleep(0.1)

    def _last_words(self) -> str:
        logs = (log for log in (self._log_file, self._console_log) if log.is_file())
        return last_words("\n".join(log.read_text(errors="replace") for log in logs))


def kafka_version(jars: Sequence[Path]) -> str:
    """Major and minor, "4.3", from the name of Kafka's own jar."""
    found = re.search(r"kafka-server-(\d+\.\d+)", "\n".join(jar.name for jar in jars))
    if found is None:
        raise ServiceError("there is no kafka-server jar among the broker's jars", "see conf/jars/ivy.xml")
    return found[1]
