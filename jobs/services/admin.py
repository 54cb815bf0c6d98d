"""One way to reach Kafka for administration, with errors a user can act on."""
from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from jobs.errors import ServiceError

CONNECT_TIMEOUT_S = 10
FIX = "start the local broker with `tidewatch up`, or correct the settings under kafka"


@contextmanager
def kafka_admin(options: dict[str, Any], timeout_s: float = CONNECT_TIMEOUT_S) -> Iterator[KafkaAdminClient]:
    """An admin client for the keyword arguments `options`. Any Kafka error inside becomes a ServiceError."""
    address = ",".join(options["bootstrap_servers"])
    if not any(_listens(server) for server in options["bootstrap_servers"]):  # a client that cannot connect leaves
        raise ServiceError(f"nothing listens at {address}", FIX)               # its thread and sockets behind
    try:
        with closing(KafkaAdminClient(**options, bootstrap_timeout_ms=int(timeout_s * 1000))) as client:
            yield client
    except KafkaError as error:
        raise ServiceError(f"Kafka at {address} does not do what it was asked: {error}", FIX) from error


def answers(options: dict[str, Any], timeout_s: float = 2.0) -> bool:
    """Whether a broker there has joined its cluster and answers metadata requests."""
    try:
        with kafka_admin(options, timeout_s) as client:
            return bool(client.describe_cluster()["brokers"])
    except ServiceError:
        return False


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True
