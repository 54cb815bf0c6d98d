"""Processes that outlive the command that started them: spawn, recognise again, stop."""
from __future__ import annotations

import fcntl
import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

CREATE_TIME_TOLERANCE_S = 2.0  # psutil derives it from the boot time, which moves a little when the clock is set
POLL_S = 0.05
KILL_PATIENCE_S = 10.0
N_LAST_LINES = 12
NOISE = re.compile(r"\s+at |\s+\.\.\. \d+ more|\S+ INFO ")


@dataclass(frozen=True)
class ProcessRecord:
    """What a pid file holds. The start time tells a recycled pid from the process that was recorded."""

    pid: int
    created_s: float

    @classmethod
    def of(cls, process: psutil.Process) -> ProcessRecord:
        return cls(process.pid, process.create_time())

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """None when the file is missing or damaged: that must not hinder a stop."""
        try:
            fields = json.loads(path.read_text())
            return cls(int(fields["pid"]), float(fields["created_s"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    def process(self) -> psutil.Process | None:
        """The recorded process if it still runs; None when it ended or its pid belongs to another one now."""
        with suppress(psutil.Error, ValueError, OverflowError):
            process = psutil.Process(self.pid)
            if is_alive(process) and abs(process.create_time() - self.created_s) < CREATE_TIME_TOLERANCE_S:
                return process
        return None


def is_alive(process: psutil.Process) -> bool:
    """False for a zombie too, which only waits for its parent to ask; but its ports are taken while threads end."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    return False


def find_by_arguments(*arguments: str) -> list[psutil.Process]:
    """Every running process whose command line holds each of these as a whole argument."""
    return [process for process in psutil.process_iter(["cmdline"])
            if set(arguments) <= set(process.info["cmdline"] or ()) and is_alive(process)]


def spawn_detached(command: Sequence[str], output: Path, folder: Path) -> psutil.Process:
    """Start in `folder` and in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.

    The shell in between ends at once: the process is nobody's child, and no caller has to live on to reap it.
    """
    shell = ["sh", "-c", '"$@" >"$0" 2>&1 & echo $!', str(output), *command]
    started = subprocess.run(shell, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             start_new_session=True, check=True)
    return psutil.Process(int(started.stdout))


def stop_processes(processes: Sequence[psutil.Process], patience_s: float) -> None:
    """SIGTERM all, SIGKILL what is still there after `patience_s`, return when none is left."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in wait_until_gone(processes, patience_s):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_gone(processes, KILL_PATIENCE_S)


def wait_until_gone(processes: Sequence[psutil.Process], patience_s: float) -> list[psutil.Process]:
    """Those that still run after `patience_s`. Not psutil.wait_procs: it waits for zombies of other parents too."""
    deadline = time.monotonic() + patience_s
    while (left := [process for process in processes if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def describe(process: psutil.Process) -> str:
    """`pid 4242 (java … server.properties)`: enough to find the program, short enough for one line."""
    try:
        program, *arguments = process.cmdline() or [process.name()]
    except psutil.Error:
        return f"pid {process.pid}"
    shown = [Path(program).name, "…" * (len(arguments) > 1), *(argument[:80] for argument in arguments[-1:])]
    return f"pid {process.pid} ({' '.join(part for part in shown if part)})"


def last_words(said: str) -> str:
    """The end of a Java log, without the stack frames and remarks that hide what went wrong."""
    lines = said.splitlines()
    telling = [line for line in lines if not NOISE.match(line)] or lines
    return "\n".join(telling[-N_LAST_LINES:])


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a file lock, so that two commands do not start or stop the same service at once."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
