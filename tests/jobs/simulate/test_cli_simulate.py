from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from jobs.cli import app
from jobs.errors import ContractError
from jobs.services.topics import ensure_topics
from jobs.settings import Settings
from tests.jobs.raw_records import raw_records

SMALL = ("--users", "100", "--seed", "5")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    if isinstance(result.exception, SystemExit) and result.exit_code:
        raise typer.BadParameter(result.output)
    return result.stdout


@pytest.fixture
def in_environment(on_shared_broker: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The shared broker, with topics, as the settings that a command loads."""
    ensure_topics(on_shared_broker)
    monkeypatch.setenv("TIDEWATCH_VAR_DIR", str(on_shared_broker.var_dir))
    monkeypatch.setenv("TIDEWATCH_BROKER__PORT", str(on_shared_broker.broker.port))
    monkeypatch.setenv("TIDEWATCH_BROKER__CONTROLLER_PORT", str(on_shared_broker.broker.controller_port))
    for role, name in on_shared_broker.kafka.topics.model_dump().items():
        monkeypatch.setenv(f"TIDEWATCH_KAFKA__TOPICS__{role.upper()}", name)
    return on_shared_broker


def test_a_history_with_labels_goes_into_files_and_the_counts_are_told(tmp_path: Path) -> None:
    file, truth = tmp_path / "history.jsonl", tmp_path / "truth.parquet"
    said = run("simulate", *SMALL, "--to", file, "--labels", truth, "--days", 2, "--end", "2026-01-31", "--frauds", 3)
    n_rows = len(file.read_bytes().splitlines())
    assert said.startswith(f"{n_rows:,} payments of 100 users to {file}")
    assert "3 attacks with" in said
    assert pq.read_table(truth).num_rows == n_rows


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("a.jsonl", "b.jsonl"))
    for file in (first, second):
        run("simulate", *SMALL, "--to", file, "--days", 1, "--end", "2026-01-31", "--frauds", 3)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("target", "dirt", "complaint"), [
    ("x.jsonl", "--late", "no late payments can go there"),
    ("x.parquet", "--malformed", "can only hold what is well formed"),
    ("bulk", "--future", "dates records itself"),
])
def test_dirt_that_the_target_cannot_hold_is_refused(tmp_path: Path, target: str, dirt: str, complaint: str) -> None:
    to = target if target == "bulk" else tmp_path / target
    with pytest.raises(ContractError, match=complaint):
        run("simulate", *SMALL, "--to", to, dirt, "0.1")


def test_a_rate_is_refused_where_nothing_is_live() -> None:
    with pytest.raises(typer.BadParameter, match="--rate and --duration are for live traffic"):
        run("simulate", "--rate", 5, "--days", 1)


@pytest.mark.kafka
def test_live_traffic_tells_how_well_it_kept_its_schedule(in_environment: Settings) -> None:
    said = run("simulate", *SMALL, "--rate", 20, "--duration", 2, "--frauds", 3)
    n_sent = len(raw_records(in_environment))
    assert n_sent > 40
    assert said.startswith(f"{n_sent} payments of 100 users to {in_environment.kafka.topics.raw}")
    assert "behind schedule" in said


@pytest.mark.kafka
def test_a_simulated_file_is_replayed_whole(tmp_path: Path, in_environment: Settings) -> None:
    file = tmp_path / "history.parquet"
    run("simulate", *SMALL, "--to", file, "--days", 1, "--end", "2026-01-31")
    said = run("replay-file", file)
    found = [json.loads(record.value)["transaction_id"] for record in raw_records(in_environment)]
    assert sorted(found) == sorted(pq.read_table(file)["transaction_id"].to_pylist())
    assert said.startswith(f"{len(found)} rows of {file} sent")
    assert "event times 2026-01-30" in said


@pytest.mark.kafka
def test_a_history_to_kafka_ends_when_it_is_told_to(in_environment: Settings) -> None:
    run("simulate", *SMALL, "--days", 1, "--end", "2026-01-31", "--late", 0.05)
    found = raw_records(in_environment)
    dates = {json.loads(record.value)["timestamp"][:7] for record in found}
    assert dates == {"2026-01"}
    assert max(record.timestamp for record in found) < 1_769_817_600_000  # 2026-01-31T00:00:00Z
