"""The dear things, started once for all tests and only when a test asks: one Spark session, one broker."""
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jobs.layers import ENV_PREFIX
from jobs.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

for name in [name for name in os.environ if name.startswith(ENV_PREFIX) and name != f"{ENV_PREFIX}JARS_DIR"]:
    del os.environ[name]  # a developer's own settings must not decide a test


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The defaults, in a folder and on ports of their own."""
    return load_settings(var_dir=tmp_path_factory.mktemp("var"),
                         broker={"port": free_port(), "controller_port": free_port()})


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    from jobs.session import spark_session

    session = spark_session(settings, "tests", n_cores=2)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def broker(settings: Settings) -> Iterator[Settings]:
    """The settings, with a broker behind them that answers; topics are a test's own business."""
    from jobs.services.broker import Broker

    service = Broker(settings)
    service.start()
    yield settings
    service.stop()
