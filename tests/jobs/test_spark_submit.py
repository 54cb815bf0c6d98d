from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jobs.settings import REPOSITORY

CANARY = "c4n4ry-in-a-coal-mine"


def submit(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    surrounding = {name: value for name, value in os.environ.items() if name != "SPARK_HOME"}
    return subprocess.run([REPOSITORY / "spark-submit.sh", *arguments], capture_output=True, text=True, check=False,
                          env={**surrounding, **environment})


def command(*arguments: str, **environment: str) -> list[str]:
    said = submit("--dry-run", *arguments, **environment)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def value_of(option: str, arguments: list[str]) -> str:
    return arguments[arguments.index(option) + 1]


def test_a_job_gets_its_master_jars_packages_and_own_options() -> None:
    arguments = command("--master", "spark://host:7077", "score", "--some-option", "a value")
    assert value_of("--master", arguments) == "spark://host:7077"
    assert value_of("--deploy-mode", arguments) == "client"
    assert len(value_of("--jars", arguments).split(",")) == 6
    assert value_of("--py-files", arguments).endswith(".zip")
    assert arguments[-4:] == [str(REPOSITORY / "jobs" / "cli.py"), "score", "--some-option", "a value"]


def test_master_and_memory_come_from_the_settings_unless_given() -> None:
    arguments = command("archive", TIDEWATCH_SPARK__MASTER="local[1]", TIDEWATCH_SPARK__DRIVER_MEMORY="3g")
    assert value_of("--master", arguments) == "local[1]"
    assert value_of("--driver-memory", arguments) == "3g"


def test_any_spark_setting_can_be_added() -> None:
    arguments = command("--conf", "spark.a=1", "--conf", "spark.b=x y", "train")
    assert "--conf spark.a=1 --conf spark.b=x y" in " ".join(arguments)


def test_in_cluster_mode_the_conf_folder_travels_too() -> None:
    arguments = command("--master", "yarn", "--deploy-mode", "cluster", "backfill")
    assert value_of("--archives", arguments).endswith("#conf")


def test_spark_home_is_honoured(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "spark-submit"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert command("parity", SPARK_HOME=str(tmp_path))[0] == str(program)


def test_no_secret_is_on_the_command_line() -> None:
    account = {"TIDEWATCH_KAFKA__SASL_USERNAME": "teller", "TIDEWATCH_KAFKA__SASL_PASSWORD": CANARY}
    assert CANARY not in "\n".join(command("--env", "prod", "--master", "yarn", "score", **account))


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["sing"], 2, "there is no job sing"),
    (["--nope", "score"], 2, "there is no option --nope"),
    (["--master"], 2, "--master has no value"),
    (["--deploy-mode", "moon", "score"], 2, "deploy mode moon"),
    (["--conf-dir", "/nowhere", "score"], 2, "there is no folder /nowhere"),
    (["--env", "nowhere", "score"], 3, "docker, local, prod"),
    ([], 2, "Usage:"),
])
def test_wrong_use_is_answered_with_the_next_step(arguments: list[str], code: int, said: str) -> None:
    answer = submit(*arguments)
    assert answer.returncode == code
    assert said in answer.stderr


@pytest.mark.spark
def test_a_job_starts_under_the_real_spark_submit() -> None:
    said = submit("--master", "local[1]", "train", "--help")
    assert said.returncode == 0, said.stderr
    assert "Usage:" in said.stdout
