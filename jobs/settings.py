"""The one settings object. `load_settings()` is the only way to make it.

    conf/base.yaml  <  conf/<env>.yaml  <  TIDEWATCH_SECTION__KEY  <  keyword arguments
"""
from __future__ import annotations

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
    merged,
    origin_of,
    refuse_references,
    resolved,
    yaml_layer,
)
from jobs.refusal import Refusal
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
)


def _repository() -> Path:
    """The checkout; for packages shipped by spark-submit, which have none around them, the folder a job runs in."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "conf").is_dir() else Path.cwd()


REPOSITORY = _repository()
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
        settings = Settings.model_validate({**values, "env": env, "conf_dir": folder})
    except ValidationError as error:
        raise Refusal(error, layers, values, Settings.model_json_schema()).as_error() from None
    refuse_references(values, layers)
    return settings


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
