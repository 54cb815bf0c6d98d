"""`tidewatch config` and `jars`: what is set, by whom, whether it holds, and what it needs on disk."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from jobs.errors import ConfigError
from jobs.jars import JarSet, ensure_jars
from jobs.layers import lookup
from jobs.masking import masked
from jobs.settings import changed_settings, load_settings


def register(app: typer.Typer) -> None:
    config = typer.Typer(no_args_is_help=True, help="Show and check the settings.")
    config.command("show")(show)
    config.command("get")(get)
    config.command("check")(check)
    app.add_typer(config, name="config")
    app.command()(jars)


def show() -> None:
    """Print every setting as YAML, secrets masked; a comment says who changed it from conf/base.yaml."""
    origins = changed_settings()
    for line in _commented(_plain(masked("", load_settings())), origins):
        typer.echo(line)


def get(keys: Annotated[list[str], typer.Argument(help="Dotted names, as spark.master.")]) -> None:
    """Print settings one a line, for scripts."""
    values = _plain(masked("", load_settings()))
    for key in keys:
        try:
            value = lookup(values, tuple(key.split(".")))
        except KeyError:
            raise ConfigError(f"there is no setting {key}", "`tidewatch config show` prints all of them") from None
        typer.echo(value if isinstance(value, str) else json.dumps(value))


def check() -> None:
    """Fail, naming the key, when a setting is wrong, or a file or a feature it asks for cannot be had."""
    from jobs.pipeline import contract, feature_set
    from jobs.services.topics import load_topic_specs

    settings = load_settings()
    for part in (contract, feature_set, load_topic_specs):
        part(settings)
    typer.echo(f"the settings of {settings.env} in {settings.conf_dir} hold")


def jars(sets: Annotated[list[JarSet], typer.Argument(help="spark, broker or both.")]) -> None:
    """Fetch the pinned jars if they are not there, and print their paths, separated by commas."""
    settings = load_settings()
    typer.echo(",".join(str(jar) for conf in sets for jar in ensure_jars(conf, settings)))


def _plain(value: Any) -> Any:
    """`value` in types that YAML has."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _commented(values: dict[str, Any], origins: dict[str, str], prefix: str = "") -> list[str]:
    lines: list[str] = []
    indent = "  " * prefix.count(".")
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{key}:", *_commented(value, origins, f"{prefix}{key}.")]
            continue
        in_one_line = None if isinstance(value, list | dict) else False
        written = yaml.safe_dump({key: value}, default_flow_style=in_one_line, width=1000).strip()
        origin = origins.get(prefix + key)
        lines.append(f"{indent}{written}" + (f"  # {origin}" if origin else ""))
    return lines
