"""Is this machine fit to run a service? Each check passes or raises the error that says what to do."""
from __future__ import annotations

import ipaddress
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import psutil

from jobs.errors import ConfigError, PortTaken, TooLittleDisk, TooLittleMemory
from jobs.services.processes import describe

JVM_OVERHEAD_MB = 256  # beside the heap: class data, code cache, thread stacks, network buffers
MIN_FREE_DISK_MB = 2048  # eight log segments of 256 MB; a broker whose disk fills up stops and may lose its last writes


def check_loopback(host: str) -> None:
    """The local broker has no password, so it must not be reachable from another machine."""
    with suppress(OSError, ValueError):
        if ipaddress.ip_address(socket.gethostbyname(host)).is_loopback:
            return
    raise ConfigError(f"broker.host = {host!r} is not a loopback address, and the local broker has no password",
                      "set broker.host to 127.0.0.1; use kafka.bootstrap_servers for a broker elsewhere")


def check_port(host: str, port: int, setting: str) -> None:
    """Raises PortTaken when another program listens on `port`; `setting` is the key that chose it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection just closed does not take a port
        try:
            probe.bind((host, port))
        except OSError as error:
            variable = f"TIDEWATCH_{setting.upper().replace('.', '__')}"
            raise PortTaken(f"{setting} = {port} on {host} is taken by {_listener(port)}: {error.strerror}",
                            f"stop that program, or choose another port with {variable}") from error


def _listener(port: int) -> str:
    with suppress(psutil.Error):  # other users' sockets are not shown to everybody
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return describe(psutil.Process(connection.pid))
    return "a program that cannot be named from this account"


def check_memory(heap_mb: int) -> None:
    needed_mb, available_mb = heap_mb + JVM_OVERHEAD_MB, psutil.virtual_memory().available // 2**20
    if available_mb < needed_mb:
        raise TooLittleMemory(
            f"{available_mb} MB of memory are available; broker.heap_mb = {heap_mb} and the JVM need {needed_mb} MB",
            "close other programs, or lower TIDEWATCH_BROKER__HEAP_MB (128 at least)")


def check_disk(folder: Path, needed_mb: int = MIN_FREE_DISK_MB) -> None:
    free_mb = shutil.disk_usage(folder).free // 2**20
    if free_mb < needed_mb:
        raise TooLittleDisk(f"{free_mb} MB are free on the disk of {folder}; at least {needed_mb} MB are needed",
                            "free some space, or set TIDEWATCH_VAR_DIR to a folder on a larger disk")
