from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from jobs.services.broker import Broker
from jobs.settings import Settings, load_settings
from tests.conftest import free_port


def settings_in(var_dir: Path, **broker: object) -> Settings:
    return load_settings(var_dir=var_dir, broker={"port": free_port(), "controller_port": free_port(), **broker})


@pytest.fixture
def own_settings(tmp_path: Path) -> Settings:
    """Settings of one test alone: nothing runs or lies there yet."""
    return settings_in(tmp_path)


@pytest.fixture
def own_broker(own_settings: Settings) -> Iterator[Broker]:
    """A broker that is not started, and is stopped whatever the test did to it."""
    broker = Broker(own_settings)
    yield broker
    broker.stop()


@pytest.fixture
def on_shared_broker(broker: Settings) -> Settings:
    """Settings of the shared broker with topic names no other test uses."""
    names = {role: f"{role}-{uuid4().hex}" for role in broker.kafka.topics.model_dump()}
    return load_settings(var_dir=broker.var_dir, broker=broker.broker.model_dump(), kafka={"topics": names})
