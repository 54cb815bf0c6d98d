from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.services.processes import (
    ProcessRecord,
    describe,
    find_by_arguments,
    is_alive,
    last_words,
    spawn_detached,
    stop_processes,
)

SLEEP = "import sys, time; print('ready', flush=True); time.sleep(60)"
IGNORE_TERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


def spawn(folder: Path, program: str = SLEEP) -> psutil.Process:
    output = folder / "output"
    process = spawn_detached([sys.executable, "-c", program, str(folder)], output, folder)
    while "ready" not in output.read_text():
        time.sleep(0.01)
    return process


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[psutil.Process]:
    process = spawn(tmp_path)
    yield process
    stop_processes([process], patience_s=0)


def test_a_spawned_process_has_a_session_of_its_own(sleeper: psutil.Process) -> None:
    assert os.getsid(sleeper.pid) != os.getsid(0)


def test_a_spawned_process_is_nobodys_child(sleeper: psutil.Process) -> None:
    assert sleeper.pid not in {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_record_finds_its_process_again(sleeper: psutil.Process, tmp_path: Path) -> None:
    file = tmp_path / "process.json"
    ProcessRecord.of(sleeper).write(file)
    record = ProcessRecord.read(file)
    assert record is not None
    assert record.process() == sleeper


def test_a_recycled_pid_is_not_taken_for_the_recorded_process(sleeper: psutil.Process) -> None:
    earlier = ProcessRecord(sleeper.pid, sleeper.create_time() - 60)
    assert earlier.process() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": null, "created_s": 1}'])
def test_a_damaged_record_is_no_record(tmp_path: Path, content: str) -> None:
    file = tmp_path / "process.json"
    file.write_text(content)
    assert ProcessRecord.read(file) is None


def test_a_record_that_names_no_possible_pid_finds_nothing() -> None:
    assert ProcessRecord(-1, 0.0).process() is None
    assert ProcessRecord(2**70, 0.0).process() is None


def test_a_process_is_found_by_a_whole_argument_only(sleeper: psutil.Process, tmp_path: Path) -> None:
    assert find_by_arguments(str(tmp_path)) == [sleeper]
    assert find_by_arguments(str(tmp_path)[:-1]) == []


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stubborn = spawn(tmp_path, IGNORE_TERM)
    stop_processes([stubborn], patience_s=0.2)
    assert not is_alive(stubborn)


def test_a_description_names_pid_program_and_last_argument(sleeper: psutil.Process, tmp_path: Path) -> None:
    assert describe(sleeper) == f"pid {sleeper.pid} ({Path(sys.executable).name} … {str(tmp_path)[:80]})"


def test_the_last_words_leave_out_remarks_and_stack_frames() -> None:
    said = ("12:00:00Z INFO Broker: starting\n12:00:01Z ERROR Broker: no disk\njava.io.IOException: full\n"
            "\tat java.io.Disk.write(Disk.java:1)\n\t... 12 more\n12:00:02Z INFO Broker: shut down\n")
    assert last_words(said) == "12:00:01Z ERROR Broker: no disk\njava.io.IOException: full"


def test_the_last_words_of_a_program_that_only_remarked_are_its_remarks() -> None:
    assert last_words("12:00:00Z INFO Broker: starting") == "12:00:00Z INFO Broker: starting"
