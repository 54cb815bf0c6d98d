"""The one settings object. `load_settings()` is the only way to make it.

    conf/base.yaml  <  conf/<env>.yaml  <  TIDEWATCH_SECTION__KEY  <  keyword arguments
"""
from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jobs.errors import ConfigError
from jobs.layers import (
    ENV_PREFIX,
    Layer,
    environment_layer,
    leaves,
    lookup,
    merged,
    origin_of,
    resolved,
    variable,
    yaml_layer,
)
from jobs.sections import (
    ArchiveSettings,
    BrokerSettings,
    ContractSettings,
    FeatureSettings,
    KafkaSettings,
    ModelSettings,
    PolicySettings,
    Section,
    SparkSettings,
    StreamSettings,
    masked,
)

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER_KEYS = ("var_dir", "jars_dir")
FILE_KEYS = (("contract", "rates_file"), ("kafka", "ssl_cafile"))


class Settings(Section):
    env: str
    conf_dir: Path
    var_dir: Path
    jars_dir: Path
    kafka: KafkaSettings
    contract: ContractSettings
    features: FeatureSettings
    model: ModelSettings
    policy: PolicySettings
    stream: StreamSettings
    archive: ArchiveSettings
    spark: SparkSettings
    broker: BrokerSettings


def load_settings(env: str | None = None, conf_dir: Path | str | None = None, **overrides: Any) -> Settings:
    """The settings of `env`; `overrides` are sections or keys, as in `load_settings(broker={"port": 29092})`.

    Raises ConfigError, which names every wrong key, its value, who set it and what is allowed.
    """
    env, folder = _place(env, conf_dir)
    layers = [*_layers(env, folder), Layer("keyword argument", overrides)]
    values: dict[str, Any] = {}
    for layer in layers:
        values = merged(values, layer.values)
    values = _located(values, folder)
    try:
        return Settings.model_validate({**values, "env": env, "conf_dir": folder})
    except ValidationError as error:
        raise _config_error(error, layers, values) from None


def changed_settings(env: str | None = None, conf_dir: Path | str | None = None) -> dict[str, str]:
    """Who set it, for every dotted key that is not left as conf/base.yaml has it."""
    layers = _layers(*_place(env, conf_dir))
    changed = [path for layer in layers[1:] for path, _ in leaves(layer.values)]
    return {".".join(path): origin_of(layers, path) for path in changed}


def _place(env: str | None, conf_dir: Path | str | None) -> tuple[str, Path]:
    folder = conf_dir or os.environ.get(f"{ENV_PREFIX}CONF_DIR") or REPOSITORY / "conf"
    return env or os.environ.get(f"{ENV_PREFIX}ENV") or "local", Path(folder).resolve()


def _layers(env: str, folder: Path) -> list[Layer]:
    return [yaml_layer(folder / "base.yaml"), _env_layer(folder, env), environment_layer(os.environ)]


def _env_layer(folder: Path, env: str) -> Layer:
    known = sorted(file.stem for file in folder.glob("*.yaml") if file.stem not in ("base", "topics"))
    if env not in known:
        raise ConfigError(f"there is no environment {env!r} in {folder}",
                          f"set TIDEWATCH_ENV to one of {', '.join(known)}")
    return yaml_layer(folder / f"{env}.yaml")


def _located(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """References resolved and paths made absolute: folders from the repository, files from the conf folder."""
    for key in FOLDER_KEYS:
        if isinstance(values.get(key), str | Path):
            values = {**values, key: str((REPOSITORY / values[key]).resolve())}
    values = resolved(values)
    for section, key in FILE_KEYS:
        file = values.get(section, {}).get(key) if isinstance(values.get(section), dict) else None
        if isinstance(file, str):
            values = merged(values, {section: {key: folder / file}})
    return values


def _config_error(error: ValidationError, layers: list[Layer], values: dict[str, Any]) -> ConfigError:
    problems = error.errors()
    lines = [_described(problem, layers, values) for problem in problems]
    changes = [_fix(problem, layers) for problem in problems]
    return ConfigError("\n".join(lines), "; ".join(dict.fromkeys(changes)))


def _described(problem: Any, layers: list[Layer], values: dict[str, Any]) -> str:
    if problem["type"] == "contradiction":
        said = [_assignment(tuple(key.split(".")), layers, values) for key in problem["ctx"]["keys"]]
        return f"{', '.join(said)}: {problem['msg']}"
    path = _path(problem)
    if problem["type"] == "missing":
        return f"{'.'.join(path)} is not set anywhere"
    if problem["type"] == "extra_forbidden":  # the value stays unsaid: a secret under a misspelt name is still one
        return f"{'.'.join(path)} (from {origin_of(layers, path)}): no such setting"
    return f"{_assignment(path, layers, values)}: {_rule(problem, path)}"


def _assignment(path: tuple[str, ...], layers: list[Layer], values: dict[str, Any]) -> str:
    value = masked(path[-1], lookup(values, path))
    return f"{'.'.join(path)} = {value!r} (from {origin_of(layers, path)})"


def _rule(problem: Any, path: tuple[str, ...]) -> str:
    said = problem["msg"].removeprefix("Input ")
    allowed = _allowed(path)
    return f"{said}; allowed: {allowed}" if allowed else said


def _fix(problem: Any, layers: list[Layer]) -> str:
    path = _path(problem)
    if problem["type"] == "contradiction":
        names = problem["ctx"]["keys"]
        return f"change {' or '.join(names)}, for example {variable(tuple(names[-1].split('.')))} in the environment"
    if problem["type"] == "missing":
        return f"set {'.'.join(path)} in conf/base.yaml or {variable(path)}"
    if problem["type"] == "extra_forbidden":
        known = _known(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{hint}known here: {', '.join(known)}"
    return f"change {'.'.join(path)} in {origin_of(layers, path)}; conf/base.yaml says its unit and reason"


def _path(problem: Any) -> tuple[str, ...]:
    """The key a problem is about, without positions inside a list or the arms of a union."""
    path: list[str] = []
    for key in problem["loc"]:
        if not isinstance(key, str) or (path and not _known(tuple(path))):
            break
        path.append(key)
    return tuple(path)


def _known(path: tuple[str, ...]) -> list[str]:
    return sorted(_schema(path).get("properties", {}))


def _schema(path: tuple[str, ...]) -> dict[str, Any]:
    """JSON schema of the setting at `path`."""
    root = Settings.model_json_schema()
    node: dict[str, Any] = root
    for key in path:
        node = node.get("properties", {}).get(key, {})
        if "$ref" in node:
            node = root["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _allowed(path: tuple[str, ...]) -> str:
    """Type and range of a setting in words, from its schema."""
    node = _schema(path)
    node = node.get("anyOf", [node])[0]
    words = {"type": "{}", "enum": "one of {}", "minimum": "at least {}", "exclusiveMinimum": "over {}",
             "maximum": "at most {}", "exclusiveMaximum": "under {}", "pattern": "matching {}"}
    return ", ".join(text.format(node[key]) for key, text in words.items() if key in node)
