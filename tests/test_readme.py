"""The README is true: its commands run, and the files and tests it names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import free_port

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def console_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.kafka
@pytest.mark.timeout(900)
def test_the_commands_by_hand_run_from_top_to_bottom(tmp_path: Path) -> None:
    ports = {"TIDEWATCH_BROKER__PORT": str(free_port()), "TIDEWATCH_BROKER__CONTROLLER_PORT": str(free_port())}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"TIDEWATCH_VAR_DIR": str(tmp_path / "var"), "PATH": path} | ports
    env = os.environ | own | {"TIDEWATCH_JARS_DIR": os.environ.get("TIDEWATCH_JARS_DIR", str(ROOT / "var" / "jars"))}
    try:
        for command in console_commands():
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    finally:
        subprocess.run(["tidewatch", "down"], cwd=tmp_path, env=env, capture_output=True, check=False, timeout=60)


def test_nothing_in_it_is_left_to_be_filled_in() -> None:
    assert "@@" not in README


def test_every_command_it_names_exists() -> None:
    names = set(re.findall(r"tidewatch ([a-z][a-z-]+)", README))
    listed = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    known = {
        "up",
        "down",
        "status",
        "simulate",
        "replay-file",
        "train",
        "score",
        "archive",
        "backfill",
        "parity",
        "dead",
    }
    assert known <= names | {"config"}
    assert all(name in listed for name in names)


def test_every_path_it_links_or_quotes_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    quoted = re.findall(r"`((?:features|models|jobs|conf|tests)/[\w./*-]+)`", README)
    assert linked
    assert [path for path in (*linked, *quoted) if not list(ROOT.glob(path))] == []


def test_every_test_it_names_exists() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", README))
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []
