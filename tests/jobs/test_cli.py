"""The program as a user meets it: started as a process, judged by what it prints and its exit code."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobs import cli, errors
from jobs.settings import REPOSITORY, load_settings
from models.errors import ModelError

CANARY = "c4n4ry-in-a-coal-mine"
HEAVY = {"pyspark", "mlflow", "sklearn", "numba", "pandas", "shap", "kafka", "pyarrow"}


def tidewatch(*arguments: str, cwd: Path = REPOSITORY, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs.cli", *arguments], capture_output=True, text=True, check=False,
                          cwd=cwd, env={**os.environ, "COLUMNS": "120", **environment})


def modules_loaded_by(*arguments: str) -> set[str]:
    program = ("import sys; from jobs.cli import app\n"
               f"try: app({list(arguments)})\n"
               "except SystemExit: print('MODULES', *{name.split('.')[0] for name in sys.modules})")
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return set(said.stdout.rsplit("MODULES ", 1)[1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["config", "show"], ["score", "--help"], ["train", "--help"]])
def test_help_and_settings_load_nothing_heavy(arguments: list[str]) -> None:
    assert modules_loaded_by(*arguments) & HEAVY == set()


def test_help_names_every_command_and_every_exit_code() -> None:
    said = tidewatch("--help").stdout
    for name in ("up", "down", "status", "simulate", "replay-file", "train", "score", "archive", "maintain", "backfill",
                 "parity", "dead", "config", "jars"):
        assert f" {name} " in said
    kinds = [ModelError, *(kind for kind in vars(errors).values() if isinstance(kind, type))]
    for code in {0, 2, 70, 130, *(kind.exit_code for kind in kinds if hasattr(kind, "exit_code"))}:
        assert f" {code} " in said


def test_config_show_prints_the_settings_as_yaml() -> None:
    shown = yaml.safe_load(tidewatch("config", "show", TIDEWATCH_BROKER__PORT="29092").stdout)
    settings = load_settings(broker={"port": 29092})
    assert shown["kafka"]["bootstrap_servers"] == settings.kafka.bootstrap_servers == "127.0.0.1:29092"
    assert shown["features"]["windows_s"] == list(settings.features.windows_s)
    assert set(shown) == set(type(settings).model_fields)


def test_config_show_says_who_changed_a_setting() -> None:
    said = tidewatch("config", "show", TIDEWATCH_BROKER__PORT="29092").stdout
    assert "  port: 29092  # environment variable TIDEWATCH_BROKER__PORT" in said


def test_config_get_prints_one_setting_a_line_for_scripts() -> None:
    said = tidewatch("config", "get", "broker.port", "contract.base_currency", "features.windows_s", "spark.nope")
    assert said.stdout == "19092\nUSD\n[60, 300, 3600, 86400]\n"
    assert (said.returncode, said.stderr.splitlines()[0]) == (3, "error: there is no setting spark.nope")


def test_no_command_prints_a_secret() -> None:
    account = {"TIDEWATCH_KAFKA__SASL_USERNAME": "teller", "TIDEWATCH_KAFKA__SASL_PASSWORD": CANARY}
    shown = tidewatch("--env", "prod", "config", "show", **account)
    failed = tidewatch("--env", "prod", "config", "show", **account, TIDEWATCH_KAFKA__SASL_MECHANISM="x")
    assert (shown.returncode, failed.returncode) == (0, 3)
    assert CANARY not in shown.stdout + shown.stderr + failed.stdout + failed.stderr
    assert "sasl_password: '****" in shown.stdout


def test_a_wrong_setting_ends_with_its_code_and_without_a_traceback() -> None:
    said = tidewatch("config", "check", TIDEWATCH_BROKER__PORT="high")
    assert said.returncode == 3
    assert said.stdout == ""
    assert said.stderr.startswith("error: ")
    assert "broker.port = 'high'" in said.stderr
    assert "\n  fix: " in said.stderr
    assert "Traceback" not in said.stderr


def test_config_check_accepts_the_defaults() -> None:
    said = tidewatch("config", "check")
    assert (said.returncode, said.stderr) == (0, "")


def test_config_check_looks_into_the_files_that_settings_name(tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    said = tidewatch("config", "check", TIDEWATCH_CONTRACT__RATES_FILE=str(missing))
    assert said.returncode == 3
    assert str(missing) in said.stderr


@pytest.mark.parametrize("arguments", [["sing"], ["config", "shwo"], ["--nope"], ["jars", "tin"]])
def test_wrong_use_of_the_command_line_is_two(arguments: list[str]) -> None:
    said = tidewatch(*arguments)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(("raised", "code", "said"), [
    (errors.CheckpointError("it is torn", "start anew"), 7, "error: it is torn\n  fix: start anew\n"),
    (KeyboardInterrupt(), 130, ""),
    (ZeroDivisionError("a bug"), 70, "Traceback"),
])
def test_what_a_command_raises_decides_the_exit_code(
    raised: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("tidewatch")
    said = subprocess.run([program, "config", "check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0
