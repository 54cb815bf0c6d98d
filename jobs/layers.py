"""Settings before they are typed: the layers they are written in, laid over each other, and who wrote what."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from features.masking import URI_PASSWORD
from jobs.errors import ConfigError
from jobs.masking import SECRET_NAME

ENV_PREFIX = "TIDEWATCH_"
REFERENCE = re.compile(r"\$\{([a-z_.]+)\}")

Tree = dict[str, Any]
KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    origin: str
    values: Tree


def yaml_layer(file: Path) -> Layer:
    """Settings of one file. Raises ConfigError for what is not a mapping, and for a secret."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ConfigError(f"there is no {file}", "set TIDEWATCH_CONF_DIR to a folder that holds base.yaml") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}", "correct the line named above") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{file} holds a {type(values).__name__}, not sections", "start from conf/base.yaml")
    _refuse_secrets(file, values)
    return Layer(str(file), values)


def _refuse_secrets(file: Path, values: Tree) -> None:
    for path, value in leaves(values):
        if isinstance(value, str) and (SECRET_NAME.search(path[-1]) or URI_PASSWORD.search(value)):
            raise ConfigError(f"{'.'.join(path)} in {file} holds a secret (value not shown)",
                              f"remove it there, change the secret, and set {variable(path)} in the environment")


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Settings of TIDEWATCH_SECTION__KEY; lists and mappings as JSON; an empty variable counts as not set."""
    values: Tree = {}
    for name, text in environ.items():
        if name.startswith(ENV_PREFIX) and text and name not in (f"{ENV_PREFIX}ENV", f"{ENV_PREFIX}CONF_DIR"):
            path = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
            values = merged(values, _nested(path, _decoded(name, text)))
    return Layer("environment", values)


def _decoded(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name} is not JSON: {error}",
                          'write a list as [60, 300], a mapping as {"key": "value"}') from None


def _nested(path: KeyPath, value: Any) -> Tree:
    for key in reversed(path):
        value = {key: value}
    return value


def merged(below: Tree, above: Tree) -> Tree:
    """`above` laid over `below`: mappings are joined key by key, anything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def leaves(values: Tree, prefix: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    found: list[tuple[KeyPath, Any]] = []
    for key, value in values.items():
        path = (*prefix, str(key))
        found += leaves(value, path) if isinstance(value, dict) else [(path, value)]
    return found


def lookup(values: Any, path: KeyPath) -> Any:
    """The value at `path`; KeyError when there is none."""
    for key in path:
        if not isinstance(values, dict):
            raise KeyError(key)
        values = values[key]
    return values


def variable(path: KeyPath) -> str:
    return ENV_PREFIX + "__".join(path).upper()


def origin_of(layers: list[Layer], path: KeyPath) -> str:
    """Who set `path` last: a file or an environment variable."""
    for layer in reversed(layers):
        try:
            lookup(layer.values, path)
        except KeyError:
            continue
        return f"environment variable {variable(path)}" if layer.origin == "environment" else layer.origin
    return "nowhere"


def resolved(values: Tree) -> Tree:
    """`values` with every ${section.key} replaced by that setting's own text; one that names no setting stays."""
    def text_of(match: re.Match[str]) -> str:
        try:
            return str(lookup(values, tuple(match[1].split("."))))
        except KeyError:
            return match[0]

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        return REFERENCE.sub(text_of, value) if isinstance(value, str) else value

    return walk(values)


def refuse_references(values: Tree, layers: list[Layer]) -> None:
    """Raise ConfigError for a reference that `resolved` had to leave."""
    for path, value in leaves(values):
        if isinstance(value, str) and REFERENCE.search(value):
            raise ConfigError(f"{'.'.join(path)} = {value!r} (from {origin_of(layers, path)}) names no setting",
                              "write ${section.key} with a key of conf/base.yaml")
