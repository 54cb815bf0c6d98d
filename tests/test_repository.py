"""What must hold of the repository as a whole, read from its files."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("features", "models", "jobs")
SOURCES = sorted(file for layer in LAYERS for file in (ROOT / layer).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE_NAMES = {"utils", "helpers", "common", "misc", "manager"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported_packages(file: Path) -> set[str]:
    """The first part of every module imported anywhere in `file`, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}:{node.lineno} imports relatively"
            found.add(node.module or "")
    return {module.split(".")[0] for module in found}


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function; the docstring does not count."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_imports_run_from_jobs_to_models_to_features(file: Path) -> None:
    own_layer = file.relative_to(ROOT).parts[0]
    above = set(LAYERS[LAYERS.index(own_layer) + 1:])
    assert not imported_packages(file) & above


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_pyspark_is_imported_in_jobs_and_in_files_named_spark_only(file: Path) -> None:
    allowed = name_of(file).startswith("jobs/") or file.name == "spark.py"
    assert allowed or not imported_packages(file) & {"pyspark", "delta"}


@pytest.mark.parametrize("file", SOURCES + TESTS, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    assert [name for name, n_lines in functions(file) if n_lines > MAX_FUNCTION_LINES] == []


def test_features_and_models_start_without_spark() -> None:
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in SOURCES
               if file.name != "spark.py" and file.relative_to(ROOT).parts[0] != "jobs"]
    program = f"import sys, {', '.join(modules)}\nsys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_job_run_as_a_script_finds_the_libraries_and_not_a_namesake_beside_it() -> None:
    beside = {entry.stem for entry in (ROOT / "jobs").iterdir()} - {"__init__", "__pycache__"}
    assert beside & {"kafka", "delta", "yaml", *sys.stdlib_module_names} == set()


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_a_module_is_named_after_what_it_holds(file: Path) -> None:
    assert not VAGUE_NAMES & {part.removesuffix(".py") for part in file.relative_to(ROOT).parts}


def test_every_module_of_jobs_stands_in_its_page() -> None:
    page = (ROOT / "jobs" / "README.md").read_text(encoding="utf-8")
    modules = {file.name for file in (ROOT / "jobs").glob("*.py") if not file.name.startswith(("cli_", "__"))}
    assert {name for name in modules if f"`{name}`" not in page} == set()


def test_every_setting_in_base_yaml_says_its_unit_and_reason() -> None:
    lines = (ROOT / "conf" / "base.yaml").read_text(encoding="utf-8").splitlines()
    keys_with_a_value = [line for line in lines if re.match(r"\s*[a-z_]+: +\S", line)]
    assert len(keys_with_a_value) > 40
    assert [line for line in keys_with_a_value if not re.search(r" # .{12,}", line)] == []


def pins(text: str) -> dict[str, str]:
    pin = re.compile(r"^\s*\"?([A-Za-z0-9_.-]+)(?:\[\w+\])?==([^\s\",]+)", flags=re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in pin.findall(text)}


def test_every_direct_dependency_is_pinned_as_in_the_lock() -> None:
    direct = pins((ROOT / "setup.py").read_text(encoding="utf-8"))
    lock = pins((ROOT / "conf" / "constraints.txt").read_text(encoding="utf-8"))
    assert len(direct) > 20
    assert direct.items() <= lock.items()


def test_every_direct_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "setup.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "==" in line and not re.search(r"# .{4,}", line)] == []


def test_every_direct_dependency_is_used() -> None:
    modules = {"pyspark": "pyspark", "delta-spark": "delta", "pyyaml": "yaml", "scikit-learn": "sklearn",
               "kafka-python": "kafka"}
    required = (ROOT / "setup.py").read_text(encoding="utf-8").split("POSTGRES_REQUIRES")[0]
    imported = set().union(*map(imported_packages, SOURCES))
    assert {modules.get(name, name) for name in pins(required)} - imported == set()


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_containers_publish_ports_on_loopback_only() -> None:
    ports = [port for service in compose().values() for port in service.get("ports", [])]
    assert len(ports) >= 2
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_containers_run_the_kafka_that_is_pinned_for_one_machine() -> None:
    pinned = re.search(r'name="kafka_2.13" rev="([\d.]+)"', (ROOT / "conf/jars/ivy.xml").read_text(encoding="utf-8"))
    assert pinned
    assert compose()["kafka"]["image"] == f"apache/kafka:{pinned[1]}"


def test_every_image_has_a_fixed_tag() -> None:
    images = {service["image"] for service in compose().values()}
    assert [image for image in images if not re.search(r":\d+\.\d+[.\d]*$", image)] == []


def test_containers_wait_only_for_services_that_exist() -> None:
    waited_for = {name for service in compose().values() for name in service.get("depends_on", {})}
    assert waited_for <= set(compose())
