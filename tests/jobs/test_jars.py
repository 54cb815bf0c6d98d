from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from jobs.errors import JarsNotReachable, NoJava, WrongJava
from jobs.jars import STAMP, ensure_jars
from jobs.java import require_java
from jobs.settings import REPOSITORY, Settings, load_settings

JAR_NAMES = {"one-1.0.jar", "two-2.0.jar"}


def fake_java(folder: Path, body: str) -> Path:
    """A JAVA_HOME whose java is a shell script."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{body}\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return folder


def says_version(version: str) -> str:
    return f"echo 'openjdk version \"{version}\" 2025-01-01' >&2"


# What Ivy does, in shell: two jars at the pattern that follows -retrieve. It writes down that it ran.
IVY = says_version("17.0.1") + """
[ "$1" = -jar ] || exit 0
while [ "$1" != -retrieve ]; do shift; done
folder=$(dirname "$2")
echo run >> "$JAVA_HOME/runs"
mkdir -p "$folder" && echo 1 > "$folder/one-1.0.jar" && echo 22 > "$folder/two-2.0.jar"
"""
NO_NETWORK = says_version("17.0.1") + """
[ "$1" = -jar ] || exit 0
echo 'java.net.UnknownHostException: repo1.maven.org'
echo 'UNRESOLVED DEPENDENCY: io.delta#delta-storage;4.4.0: not found'
exit 1
"""


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """Settings with an empty folder for jars, and pins that may be changed."""
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf", conf)
    return load_settings(conf_dir=conf, jars_dir=tmp_path / "jars")


def n_runs(java_home: Path) -> int:
    return len((java_home / "runs").read_text().splitlines())


@pytest.fixture
def ivy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = fake_java(tmp_path / "java", IVY)
    monkeypatch.setenv("JAVA_HOME", str(home))
    return home


def test_jars_are_fetched_once(place: Settings, ivy: Path) -> None:
    assert {jar.name for jar in ensure_jars("spark", place)} == JAR_NAMES
    assert {jar.name for jar in ensure_jars("spark", place)} == JAR_NAMES
    assert n_runs(ivy) == 1


def test_a_complete_folder_needs_neither_java_nor_network(
    place: Settings, ivy: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    ensure_jars("spark", place)
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert len(ensure_jars("spark", place)) == 2


def test_new_pins_fetch_anew_and_leave_no_old_jar(place: Settings, ivy: Path) -> None:
    ensure_jars("spark", place)
    (place.jars_dir / "spark" / "old-0.9.jar").touch()
    pins = place.conf_dir / "jars" / "ivy.xml"
    pins.write_text(pins.read_text() + "<!-- another pin -->")
    assert {jar.name for jar in ensure_jars("spark", place)} == JAR_NAMES
    assert n_runs(ivy) == 2


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "one-1.0.jar").unlink(),
    lambda folder: (folder / "one-1.0.jar").write_text("cut short"),
    lambda folder: (folder / STAMP).unlink(),
    lambda folder: (folder / STAMP).write_text("{"),
], ids=["a jar gone", "a jar of another size", "no stamp", "a torn stamp"])
def test_a_damaged_folder_is_fetched_again(place: Settings, ivy: Path, damage) -> None:  # type: ignore[no-untyped-def]
    ensure_jars("spark", place)
    damage(place.jars_dir / "spark")
    assert {jar.name for jar in ensure_jars("spark", place)} == JAR_NAMES
    assert n_runs(ivy) == 2


def test_a_folder_copied_from_another_machine_is_taken_as_it_is(place: Settings, ivy: Path, tmp_path: Path) -> None:
    ensure_jars("spark", place)
    shutil.copytree(place.jars_dir, tmp_path / "copy")
    elsewhere = load_settings(conf_dir=place.conf_dir, jars_dir=tmp_path / "copy")
    assert len(ensure_jars("spark", elsewhere)) == 2
    assert n_runs(ivy) == 1


def test_a_failed_fetch_says_why_and_leaves_no_half_folder(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "java", NO_NETWORK)))
    with pytest.raises(JarsNotReachable, match="delta-storage;4.4.0: not found") as caught:
        ensure_jars("spark", place)
    assert "ivysettings.xml" in caught.value.fix
    assert [entry.name for entry in place.jars_dir.iterdir() if entry.name != ".lock"] == []


def test_a_success_without_jars_is_a_failure(place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "java", says_version("17.0.1"))))
    with pytest.raises(JarsNotReachable):
        ensure_jars("spark", place)


def test_a_mirror_is_used_when_its_settings_file_is_there(place: Settings, ivy: Path) -> None:
    mirror = place.conf_dir / "jars" / "ivysettings.xml"
    mirror.write_text("<ivysettings/>")
    script = ivy / "bin" / "java"
    script.write_text(script.read_text().replace("#!/bin/sh", '#!/bin/sh\necho "$@" >> "$JAVA_HOME/said"'))
    ensure_jars("spark", place)
    assert f"-settings {mirror}" in (ivy / "said").read_text()


def test_the_stamp_holds_the_size_of_every_jar(place: Settings, ivy: Path) -> None:
    ensure_jars("spark", place)
    stamp = json.loads((place.jars_dir / "spark" / STAMP).read_text())
    assert stamp["bytes"] == {"one-1.0.jar": 2, "two-2.0.jar": 3}


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1", "17-ea"])
def test_java_17_and_newer_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    home = fake_java(tmp_path, says_version(version))
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert require_java() == home / "bin" / "java"


@pytest.mark.parametrize(("version", "major"), [("11.0.2", "11"), ("1.8.0_392", "8")])
def test_an_older_java_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: str,
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, says_version(version))))
    with pytest.raises(WrongJava, match=f"is Java {major}; Spark and Kafka need 17"):
        require_java()


@pytest.mark.parametrize("body", ["echo nothing of use", "exit 1"])
def test_a_java_that_tells_no_version_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, body)))
    with pytest.raises(NoJava):
        require_java()


def test_no_java_at_all_is_told_with_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoJava, match="no java on PATH") as caught:
        require_java()
    assert "openjdk" in caught.value.fix


def test_a_wrong_java_home_is_not_passed_over_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", os.devnull)
    with pytest.raises(NoJava, match=os.devnull):
        require_java()
