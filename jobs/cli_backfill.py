"""Commands over the past: backfill and parity."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs.days import Days
from jobs.errors import CheckFailed, ConfigError

Model = Annotated[int | None, typer.Option(help="Compute scores too, with this version in the registry.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(backfill)
    app.command()(parity)


def backfill(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First event day, UTC.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last event day, included.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="A Parquet or JSON-lines history instead of the archive.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the features of --input, as Parquet.")] = None,
    model: Model = None,
    again: Annotated[bool, typer.Option("--again", help="Compute days that were done before, too.")] = False,
) -> None:
    """Rebuild the features of past payments, to the bit as the stream serves them.

    From the archive:  tidewatch backfill --from 2026-11-01 --to 2026-11-30

    From a file:       tidewatch backfill --input payments.parquet --output features/
    """
    from jobs.backfill import backfill as from_archive
    from jobs.backfill_file import backfill_file
    from jobs.session import spark_session
    from jobs.settings import load_settings

    settings = load_settings()
    if source is not None and output is not None and first is None and last is None:
        rows = backfill_file(spark_session(settings, "backfill"), settings, source, output, _say, model=model)
        refused = f"{rows.duplicates:,} duplicates, {rows.too_active:,} of users too active"
        _say(f"{rows.payments:,} payments, {refused} and {rows.dead:,} dead letters in {output}")
    elif first is not None and last is not None and source is None and output is None:
        days = Days(first.date(), last.date())
        n_days = from_archive(spark_session(settings, "backfill"), settings, days, _say, model=model, again=again)
        _say(f"{n_days} days computed into {settings.archive.table_dir}/features")
    else:
        raise ConfigError(
            "backfill reads either the archive or a file", "give --from and --to, or --input and --output"
        )


def parity(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First event day, UTC.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last event day, included.")],
) -> None:
    """Compare what was served with what backfill computes; ends with 1 when a single cell differs."""
    from jobs.parity import parity as compare
    from jobs.session import spark_session
    from jobs.settings import load_settings

    settings = load_settings()
    _say("computing the features of these days and comparing them with what was served")
    report = compare(spark_session(settings, "parity"), settings, Days(first.date(), last.date()))
    for line in report.lines():
        typer.echo(line)
    if not report.holds:
        raise CheckFailed(
            "served and computed features differ",
            "look at the examples above; backfill again after a change of settings",
        )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
