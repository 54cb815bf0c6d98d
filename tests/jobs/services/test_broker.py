"""The broker's life on this machine. Each start is a real JVM and takes two or three seconds."""
from __future__ import annotations

import os
import shutil
import signal
import socket
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer

from jobs.errors import ConfigError, PortTaken, ServiceDied, ServiceError, StaleData
from jobs.services import broker as broker_module
from jobs.services.broker import MAIN_CLASS, Broker, kafka_version
from jobs.services.processes import find_by_arguments, wait_until_gone
from jobs.services.service import State
from jobs.services.topics import ensure_topics, topic_states
from jobs.settings import Settings, load_settings
from tests.conftest import free_port
from tests.jobs.services.conftest import settings_in

pytestmark = pytest.mark.kafka


def processes_of(broker: Broker) -> list[psutil.Process]:
    return find_by_arguments(MAIN_CLASS, str(broker.home / "server.properties"))


def send_one(settings: Settings) -> None:
    with closing(KafkaProducer(**settings.kafka.client_options())) as producer:
        producer.send(settings.kafka.topics.alerts, b"{}").get(timeout=10)


def n_alerts(settings: Settings) -> int:
    state = topic_states(settings)[settings.kafka.topics.alerts]
    assert state is not None
    return state.n_messages


def with_template(folder: Path, *lines: str, **broker: object) -> Settings:
    """Settings whose conf folder is a copy with further lines in the broker's template."""
    conf_dir = shutil.copytree(load_settings().conf_dir, folder / "conf")
    with (conf_dir / "broker" / "server.properties").open("a") as template:
        template.write("\n".join(["", *lines, ""]))
    return load_settings(conf_dir=conf_dir, var_dir=folder,
                         broker={"port": free_port(), "controller_port": free_port(), **broker})


def test_a_broker_starts_once_keeps_its_records_over_a_restart_and_leaves_no_process(
    own_broker: Broker, own_settings: Settings,
) -> None:
    first = own_broker.start()
    assert first.state is State.UP
    assert own_broker.start() == first

    ensure_topics(own_settings)
    send_one(own_settings)
    assert own_broker.stop()
    assert processes_of(own_broker) == []
    assert own_broker.status().state is State.DOWN
    assert not own_broker.stop()

    assert own_broker.start().pid != first.pid
    assert n_alerts(own_settings) == 1


def test_a_broker_that_was_killed_is_down_and_comes_back_with_its_records(
    own_broker: Broker, own_settings: Settings,
) -> None:
    own_broker.start()
    ensure_topics(own_settings)
    send_one(own_settings)
    killed = processes_of(own_broker)
    os.kill(killed[0].pid, signal.SIGKILL)
    assert wait_until_gone(killed, patience_s=10) == []
    assert own_broker.status().state is State.DOWN
    assert not own_broker.stop()

    own_broker.start()
    assert n_alerts(own_settings) == 1


def test_a_broker_whose_record_is_lost_is_found_hung_or_not_and_stopped(own_broker: Broker) -> None:
    pid = own_broker.start().pid
    (own_broker.home / "process.json").unlink()
    assert own_broker.start().pid == pid

    [process] = processes_of(own_broker)
    process.suspend()
    assert own_broker.status().state is State.NOT_ANSWERING
    process.resume()
    (own_broker.home / "process.json").write_text("damaged")
    assert own_broker.stop()
    assert processes_of(own_broker) == []


def test_a_running_broker_is_not_taken_for_one_with_other_settings(broker: Settings) -> None:
    with pytest.raises(ServiceError, match="running with other settings"):
        Broker(settings_in(broker.var_dir)).start()
    assert Broker(broker).status().state is State.UP


def test_a_start_that_takes_too_long_leaves_no_process(
    own_broker: Broker, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker_module, "START_TIMEOUT_S", 0.0)
    with pytest.raises(ServiceError, match="does not answer after 0 s"):
        own_broker.start()
    assert processes_of(own_broker) == []


def test_a_broker_that_dies_while_it_starts_is_quoted(tmp_path: Path) -> None:
    broker = Broker(with_template(tmp_path, "metric.reporters=no.such.Reporter"))
    with pytest.raises(ServiceDied, match=r"no\.such\.Reporter"):
        broker.start()
    assert processes_of(broker) == []


def test_a_data_folder_that_cannot_be_formatted_is_reported_in_kafkas_words(tmp_path: Path) -> None:
    broker = Broker(with_template(tmp_path, "log.cleaner.dedupe.buffer.size=1"))
    with pytest.raises(ServiceError, match=r"log\.cleaner\.dedupe\.buffer\.size must be at least"):
        broker.start()


def test_a_template_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="colour"):
        Broker(with_template(tmp_path, "x=${colour}")).start()


def test_a_port_in_use_stops_the_start_before_anything_is_written(own_broker: Broker, own_settings: Settings) -> None:
    address = (own_settings.broker.host, own_settings.broker.controller_port)
    with (closing(socket.create_server(address)),
          pytest.raises(PortTaken, match=f"broker.controller_port = {address[1]} .* pid {os.getpid()} ")):
        own_broker.start()
    assert not (own_broker.home / "data").exists()


def test_stale_data_stop_the_start_and_a_wipe_makes_way(own_broker: Broker) -> None:
    leftover = own_broker.home / "data" / "transactions_raw-0"
    leftover.mkdir(parents=True)
    with pytest.raises(StaleData):
        own_broker.start()
    own_broker.wipe()
    assert not (own_broker.home / "data").exists()


def test_the_local_broker_is_used_only_where_the_settings_name_its_address(own_broker: Broker, tmp_path: Path) -> None:
    assert own_broker.is_used
    assert not Broker(load_settings(var_dir=tmp_path, kafka={"bootstrap_servers": "kafka.example:9092"})).is_used


def test_the_version_is_read_from_kafkas_own_jar() -> None:
    jars = [Path("jars/jackson-core-2.21.2.jar"), Path("jars/kafka-server-4.3.1.jar")]
    assert kafka_version(jars) == "4.3"
