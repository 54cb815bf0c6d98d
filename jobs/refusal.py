"""Why settings were refused, in words: the key, its value, who set it, what is allowed, and what to do."""
from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from jobs.errors import ConfigError
from jobs.layers import KeyPath, Layer, Tree, lookup, origin_of, variable
from jobs.masking import masked

RANGES = {"type": "{}", "enum": "one of {}", "minimum": "at least {}", "exclusiveMinimum": "over {}",
          "maximum": "at most {}", "exclusiveMaximum": "under {}", "pattern": "matching {}"}


@dataclass(frozen=True)
class Refusal:
    """`values` as they were validated, the `layers` they came from, and the JSON `schema` of the settings."""

    error: ValidationError
    layers: list[Layer]
    values: Tree
    schema: Tree

    def as_error(self) -> ConfigError:
        problems = self.error.errors()
        lines = [self._described(problem) for problem in problems]
        fixes = dict.fromkeys(self._fix(problem) for problem in problems)
        return ConfigError("\n".join(lines), "; ".join(fixes))

    def _described(self, problem: Any) -> str:
        if problem["type"] == "contradiction":
            said = [self._assignment(tuple(key.split("."))) for key in problem["ctx"]["keys"]]
            return f"{', '.join(said)}: {problem['msg']}"
        path = self._path(problem)
        if problem["type"] == "missing":
            return f"{'.'.join(path)} is not set anywhere"
        if problem["type"] == "extra_forbidden":  # the value stays unsaid: a secret under a misspelt name is still one
            return f"{'.'.join(path)} (from {origin_of(self.layers, path)}): no such setting"
        allowed = self._allowed(path)
        rule = problem["msg"].removeprefix("Input ") + (f"; allowed: {allowed}" if allowed else "")
        return f"{self._assignment(path)}: {rule}"

    def _assignment(self, path: KeyPath) -> str:
        value = masked(path[-1], lookup(self.values, path))
        return f"{'.'.join(path)} = {value!r} (from {origin_of(self.layers, path)})"

    def _fix(self, problem: Any) -> str:
        path = self._path(problem)
        if problem["type"] == "contradiction":
            keys = problem["ctx"]["keys"]
            return f"change {' or '.join(keys)}, for example {variable(tuple(keys[-1].split('.')))} in the environment"
        if problem["type"] == "missing":
            return f"set {'.'.join(path)} in conf/base.yaml or {variable(path)}"
        if problem["type"] == "extra_forbidden":
            known = self._known(path[:-1])
            near = difflib.get_close_matches(path[-1], known, n=1)
            return (f"did you mean {near[0]}? " if near else "") + f"known here: {', '.join(known)}"
        return f"change {'.'.join(path)} in {origin_of(self.layers, path)}; conf/base.yaml says its unit and reason"

    def _path(self, problem: Any) -> KeyPath:
        """The key a problem is about, without positions inside a list or the arms of a union."""
        path: list[str] = []
        for key in problem["loc"]:
            if not isinstance(key, str) or (path and not self._known(tuple(path))):
                break
            path.append(key)
        return tuple(path)

    def _known(self, path: KeyPath) -> list[str]:
        return sorted(self._schema_of(path).get("properties", {}))

    def _allowed(self, path: KeyPath) -> str:
        node = self._schema_of(path)
        node = node.get("anyOf", [node])[0]
        return ", ".join(text.format(node[key]) for key, text in RANGES.items() if key in node)

    def _schema_of(self, path: KeyPath) -> dict[str, Any]:
        node: dict[str, Any] = self.schema
        for key in path:
            node = node.get("properties", {}).get(key, {})
            if "$ref" in node:
                node = self.schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        return node
