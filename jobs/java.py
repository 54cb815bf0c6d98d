"""The Java that runs Spark and the broker."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from jobs.errors import NoJava, WrongJava

OLDEST_JAVA = 17
INSTALL = "install Java 17 (Debian, Ubuntu: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17)"


def require_java() -> Path:
    """The java program to run: of JAVA_HOME if that is set, as Spark does it, else the one on PATH."""
    java = _java_program()
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoJava(f"{java} does not run: {error}", INSTALL) from None
    found = re.search(r'version "(\d+)(?:\.(\d+))?', said.stderr + said.stdout)
    if not found:
        raise NoJava(f"{java} -version says no version: {(said.stderr or said.stdout).strip()!r}", INSTALL)
    major = int(found[2] or 0) if found[1] == "1" else int(found[1])
    if major < OLDEST_JAVA:
        raise WrongJava(f"{java} is Java {major}; Spark and Kafka need {OLDEST_JAVA} or newer",
                        f"{INSTALL} and set JAVA_HOME to it")
    return java


def _java_program() -> Path:
    home = os.environ.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not java.is_file():
            raise NoJava(f"JAVA_HOME is {home}, where there is no bin/java", f"correct JAVA_HOME, or {INSTALL}")
        return java
    found = shutil.which("java")
    if not found:
        raise NoJava("there is no java on PATH, and JAVA_HOME is not set", INSTALL)
    return Path(found)
