from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from jobs.cli_services import register
from jobs.errors import ServiceError
from jobs.services.broker import Broker
from jobs.settings import Settings, load_settings
from tests.conftest import free_port


@pytest.fixture
def tidewatch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A runner whose commands find their own folder and ports in the environment."""
    monkeypatch.setenv("TIDEWATCH_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("TIDEWATCH_BROKER__PORT", str(free_port()))
    monkeypatch.setenv("TIDEWATCH_BROKER__CONTROLLER_PORT", str(free_port()))
    return CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


@pytest.mark.kafka
def test_up_status_and_down_follow_each_other(tidewatch: CliRunner, app: typer.Typer) -> None:
    settings = load_settings()
    try:
        up = tidewatch.invoke(app, ["up"])
        assert up.exit_code == 0
        assert settings.kafka.bootstrap_servers in up.output
        assert str(settings.var_dir / "services" / "kafka") in up.output

        assert "topics: as declared" in tidewatch.invoke(app, ["up"]).output
        assert "for ever" not in tidewatch.invoke(app, ["status"]).output
        assert _reported(tidewatch, app, 0)["topics"]["transactions_raw"]["n_messages"] == 0

        assert "kafka: stopped" in tidewatch.invoke(app, ["down"]).output
        assert "kafka: was not running" in tidewatch.invoke(app, ["down"]).output
    finally:
        Broker(settings).stop()


def _reported(tidewatch: CliRunner, app: typer.Typer, exit_code: int) -> dict[str, dict[str, dict[str, object]]]:
    status = tidewatch.invoke(app, ["status", "--json"])
    assert status.exit_code == exit_code
    return json.loads(status.output)


def test_status_ends_with_the_code_of_a_service_error_when_nothing_runs(tidewatch: CliRunner, app: typer.Typer) -> None:
    reported = _reported(tidewatch, app, ServiceError.exit_code)
    assert reported["services"][0]["state"] == "down"
    assert reported["topics"] == {}


@pytest.mark.kafka
def test_status_is_not_satisfied_while_a_topic_is_missing(
    app: typer.Typer, on_shared_broker: Settings, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.cli_services.load_settings", lambda: on_shared_broker)
    status = CliRunner().invoke(app, ["status"])
    assert status.exit_code == ServiceError.exit_code
    assert "missing" in status.output


def test_wiping_asks_first_and_takes_no_for_an_answer(tidewatch: CliRunner, app: typer.Typer, tmp_path: Path) -> None:
    record = tmp_path / "services" / "kafka" / "data" / "transactions_raw-0"
    record.mkdir(parents=True)
    refused = tidewatch.invoke(app, ["down", "--wipe"], input="n\n")
    assert refused.exit_code != 0
    assert record.exists()

    assert tidewatch.invoke(app, ["down", "--wipe", "--yes"]).exit_code == 0
    assert not record.exists()


def test_a_kafka_elsewhere_is_not_started_here(
    tidewatch: CliRunner, app: typer.Typer, on_shared_broker: Settings, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEWATCH_KAFKA__BOOTSTRAP_SERVERS", on_shared_broker.kafka.bootstrap_servers)
    up = tidewatch.invoke(app, ["up"])
    assert f"kafka: not started; the settings name {on_shared_broker.kafka.bootstrap_servers}" in up.output
    assert not (load_settings().var_dir / "services" / "kafka" / "server.properties").exists()
