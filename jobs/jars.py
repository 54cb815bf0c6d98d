"""The pinned jars of conf/jars/ivy.xml, fetched once with Java and the Ivy that PySpark ships.

A folder of jars carries a stamp: the pins it was made from, and the size of each file. While the stamp holds, no
network is touched, so `jars_dir` can be copied to a machine that has none.
"""
from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Literal

from jobs.errors import JarsNotReachable
from jobs.java import require_java
from jobs.settings import Settings, load_settings

STAMP = "complete.json"
FETCH_TIMEOUT_S = 900


class JarSet(StrEnum):
    """The configurations of conf/jars/ivy.xml."""

    SPARK = "spark"
    BROKER = "broker"


def ensure_jars(conf: JarSet | Literal["spark", "broker"], settings: Settings | None = None) -> list[Path]:
    """Every jar of `conf`, in name order; fetched if they are not there yet.

    Raises NoJava or WrongJava, and JarsNotReachable when one is neither on disk nor to be downloaded.
    """
    settings = settings or load_settings()
    pins = settings.conf_dir / "jars" / "ivy.xml"
    folder = settings.jars_dir / conf
    if not _is_complete(folder, pins):
        with _locked(settings.jars_dir):
            if not _is_complete(folder, pins):
                _fetch(JarSet(conf), folder, pins)
    return sorted(folder.glob("*.jar"))


def _is_complete(folder: Path, pins: Path) -> bool:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return bool(stamp == _stamp(folder, pins))
    except (OSError, ValueError):
        return False


def _stamp(folder: Path, pins: Path) -> dict[str, object]:
    return {"pins": hashlib.sha256(pins.read_bytes()).hexdigest(),
            "bytes": {jar.name: jar.stat().st_size for jar in sorted(folder.glob("*.jar"))}}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold `folder` alone: two programs started at once fetch one after the other, the second one nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(conf: JarSet, folder: Path, pins: Path) -> None:
    """Retrieve into a folder beside, and put it in place as a whole."""
    sys.stderr.write(f"fetching the {conf} jars into {folder} (once)\n")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
        fresh = Path(scratch) / conf
        _run_ivy(conf, fresh, pins)
        (fresh / STAMP).write_text(json.dumps(_stamp(fresh, pins)), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def _run_ivy(conf: JarSet, fresh: Path, pins: Path) -> None:
    command = [str(require_java()), "-jar", str(_ivy_jar()), "-ivy", str(pins), "-confs", conf,
               "-types", "jar", "bundle", "-retrieve", f"{fresh}/[artifact]-[revision].[ext]"]
    mirror = pins.with_name("ivysettings.xml")
    if mirror.is_file():
        command += ["-settings", str(mirror)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise _not_reachable(conf, pins, f"no answer in {FETCH_TIMEOUT_S} s") from None
    if said.returncode or not any(fresh.glob("*.jar")):
        raise _not_reachable(conf, pins, _reason(said.stdout + said.stderr))


def _ivy_jar() -> Path:
    spec = importlib.util.find_spec("pyspark")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for jar in Path(place).glob("jars/ivy-*.jar"):
            return jar
    raise JarsNotReachable("PySpark, which ships Ivy, is not installed in this Python", "run make setup")


def _reason(said: str) -> str:
    """The lines of Ivy's report that say what is missing, or its last ones."""
    lines = [line.strip(" \t:") for line in said.splitlines() if line.strip(" \t:")]
    telling = [line for line in lines if "not found" in line or "UnknownHost" in line or "ERROR" in line]
    return "; ".join(dict.fromkeys(telling[:3] or lines[-3:]))


def _not_reachable(conf: JarSet, pins: Path, reason: str) -> JarsNotReachable:
    return JarsNotReachable(
        f"the {conf} jars of {pins} are not reachable: {reason}",
        "connect to the internet once (repo1.maven.org), put an Ivy settings file for your own mirror at "
        f"{pins.with_name('ivysettings.xml')}, or copy the folder {conf} from another machine's jars_dir")
