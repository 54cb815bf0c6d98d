"""Commands about models: train."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from jobs.days import Days
from jobs.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(train)


def train(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First event day, UTC.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last event day, included.")
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Alias to give it; @champion scores from the next micro-batch on.")
    ] = "champion",
) -> None:
    """Train a model on the features that backfill wrote, and register it."""
    from jobs.session import spark_session
    from jobs.settings import load_settings
    from jobs.train import train as fit

    if (first is None) != (last is None):
        raise ConfigError("--from and --to go together", "give both, or neither for every day there is")
    days = Days(first.date(), last.date()) if first and last else None
    settings = load_settings()
    trained = fit(
        spark_session(settings, "train"), settings, days, lambda line: sys.stderr.write(f"{line}\n"), alias=alias
    )
    typer.echo(f"version {trained.version}: {trained.alert_share:.2%} of its training payments would raise an alert")
