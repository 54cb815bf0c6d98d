from __future__ import annotations

import sys
from pathlib import Path
from subprocess import PIPE, Popen
from time import perf_counter

import pytest

from models.bundle import Bundle, load_bundle, save_bundle
from models.errors import BundleRefused, RegistryProblem
from models.registry import Registry
from models.training import Recipe
from tests.models.conftest import train
from tests.models.toy import Distance
from tests.models.traffic import FEATURES


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    root = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{root}/deep/mlflow.db", "tidewatch", root / "artifacts"


@pytest.fixture(scope="module")
def registry(address: tuple[str, str, Path]) -> Registry:
    return Registry(*address)


@pytest.fixture
def version(registry: Registry, folder: Path) -> int:
    return registry.register(folder, {"share_high": 0.01}, {"n_estimators": 40}, alias="champion")


def test_a_model_without_a_champion_says_so(registry: Registry, address: tuple[str, str, Path]) -> None:
    assert registry
    empty = Registry(address[0], "untrained", address[2])
    assert empty.version_of("champion") is None
    with pytest.raises(RegistryProblem, match="@champion") as problem:
        empty.champion()
    assert "tidewatch train" in problem.value.fix


def test_the_champion_is_the_bundle_that_was_registered(registry: Registry, bundle: Bundle, version: int) -> None:
    found, folder = registry.champion()
    assert found == version
    assert load_bundle(folder, FEATURES.hash).version == bundle.version


def test_an_alias_moves_to_another_version_and_back(registry: Registry, version: int, tmp_path: Path) -> None:
    save_bundle(train(Recipe("d", Distance.fit)), tmp_path / "next")
    following = registry.register(tmp_path / "next", {}, {})
    assert registry.version_of("champion") == version
    registry.set_alias("champion", following)
    assert registry.version_of("champion") == following == version + 1
    registry.set_alias("champion", version)
    assert registry.champion()[0] == version


def test_an_alias_cannot_point_at_a_version_there_is_not(registry: Registry, version: int) -> None:
    with pytest.raises(RegistryProblem, match="version 9999"):
        registry.set_alias("champion", version + 9999 - version)


def test_a_version_is_downloaded_once_and_mended_when_its_copy_is_damaged(registry: Registry, version: int) -> None:
    folder = registry.download(version)
    inode = folder.stat().st_ino
    assert registry.download(version).stat().st_ino == inode
    (folder / "golden.npz").write_bytes(b"damaged")
    assert load_bundle(registry.download(version), FEATURES.hash)


def test_artifacts_that_are_not_what_was_registered_are_refused(
    registry: Registry, address: tuple[str, str, Path], tmp_path: Path
) -> None:
    save_bundle(train(Recipe("other", Distance.fit)), tmp_path / "good")
    version = registry.register(tmp_path / "good", {}, {})
    for manifest in address[2].glob("*/artifacts/bundle/manifest.json"):
        manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(BundleRefused, match="not what was registered"):
        registry.download(version)


def test_a_folder_that_is_no_bundle_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused):
        registry.register(tmp_path, {}, {})


def test_a_registry_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database, but long enough to be taken for one" * 20)
    with pytest.raises(RegistryProblem, match=r"mlflow\.db"):
        Registry(f"sqlite:///{tmp_path}/mlflow.db", "tidewatch", tmp_path)


def test_asking_for_the_champion_takes_milliseconds(registry: Registry, version: int) -> None:
    start = perf_counter()
    for _ in range(20):
        assert registry.version_of("champion") == version
    assert (perf_counter() - start) / 20 < 0.05


def test_two_processes_create_and_fill_one_sqlite_registry_in_silence(folder: Path, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from models.registry import Registry
registry = Registry("sqlite:///{tmp_path}/mlflow.db", "tidewatch", Path("{tmp_path}/artifacts"))
for _ in range(3):
    print(registry.register(Path("{folder}"), {{"auc": 0.5}}, {{}}, alias="champion"), registry.champion()[1])
"""
    both = [Popen([sys.executable, "-c", program], stdout=PIPE, stderr=PIPE, text=True) for _ in range(2)]
    lines = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        lines += out.splitlines()
    assert sorted(int(line.split()[0]) for line in lines) == [1, 2, 3, 4, 5, 6]
    assert len({line.split()[1] for line in lines}) == 1
