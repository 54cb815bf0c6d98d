"""`tidewatch archive`, `maintain`: topics into tables, and the tables' care."""
from __future__ import annotations

import sys
from typing import Annotated

import typer

from jobs.settings import load_settings
from jobs.table_names import ARCHIVED, MAINTAINED

Archived = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(ARCHIVED)}. [default: all]")]
Maintained = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(MAINTAINED)}. [default: all]")]


def register(app: typer.Typer) -> None:
    app.command()(archive)
    app.command()(maintain)


def archive(
    tables: Archived = None,
    once: Annotated[bool, typer.Option("--once", help="End when all that is in the topics now is archived.")] = False,
) -> None:
    """Write the topics to Delta tables, each row exactly once, until stopped (SIGTERM or Ctrl-C)."""
    chosen = _known(tables, ARCHIVED)
    from jobs.archive import start_archive
    from jobs.session import spark_session
    from jobs.supervise import stop_signal, supervise

    settings = load_settings()
    _say(f"archiving {', '.join(chosen)} in {settings.archive.table_dir}" + ("" if once else "; Ctrl-C stops it"))
    with spark_session(settings, "archive") as spark, stop_signal() as stop:
        supervise(start_archive(spark, settings, chosen, available_now=once), _say, stop)
    _say("archived all there was" if once and not stop.is_set() else "stopped; the next start goes on from there")


def maintain(
    tables: Maintained = None,
    vacuum_hours: Annotated[int, typer.Option(help="Keep unused files younger than this; at least 168.")] = 168,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Compact the tables' small files, of days that are over, and remove files that are no longer used.

    Run it now and then, for instance every night; the archive job may be running.
    """
    chosen = _known(tables, MAINTAINED)
    from jobs import maintenance
    from jobs.session import spark_session
    from jobs.tables import table_path

    settings = load_settings()
    with spark_session(settings, "maintain") as spark:
        for name in maintenance.existing_tables(spark, settings.archive.table_dir, chosen):
            path = table_path(settings.archive.table_dir, name)
            if dry_run:
                typer.echo(f"{name}: {maintenance.survey(spark, path, vacuum_hours)}")
            else:
                typer.echo(f"{name}: {maintenance.maintain(spark, path, vacuum_hours):,} files compacted")


def _known(names: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise typer.BadParameter(f"there is no table {', '.join(unknown)} here; there are {', '.join(known)}")
    return tuple(names or known)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
