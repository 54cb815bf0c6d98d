from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobs.errors import ConfigError, PortTaken, TooLittleDisk, TooLittleMemory
from jobs.services.checks import check_disk, check_loopback, check_memory, check_port
from tests.conftest import free_port

MORE_THAN_ANY_MACHINE_MB = 2**40


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which this very process listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_reported_with_its_listener_and_the_variable_to_set(listener: int) -> None:
    with pytest.raises(PortTaken, match=f"broker.port = {listener} .* pid {os.getpid()} ") as raised:
        check_port("127.0.0.1", listener, "broker.port")
    assert "TIDEWATCH_BROKER__PORT" in raised.value.fix


def test_a_free_port_passes() -> None:
    check_port("127.0.0.1", free_port(), "broker.port")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost"])
def test_a_loopback_host_passes(host: str) -> None:
    check_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "no.such.host.invalid"])
def test_a_host_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=host):
        check_loopback(host)


def test_a_heap_larger_than_the_machine_is_refused() -> None:
    with pytest.raises(TooLittleMemory, match=f"heap_mb = {MORE_THAN_ANY_MACHINE_MB} "):
        check_memory(MORE_THAN_ANY_MACHINE_MB)


def test_a_disk_with_too_little_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLittleDisk, match=f"at least {MORE_THAN_ANY_MACHINE_MB} MB"):
        check_disk(tmp_path, MORE_THAN_ANY_MACHINE_MB)
