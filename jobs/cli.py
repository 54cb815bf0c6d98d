"""The program `tidewatch`: its commands put together, and errors turned into a message and an exit code.

Commands import Spark, MLflow and scikit-learn in their bodies, so that help and mistakes answer at once.
"""
from __future__ import annotations

import os
import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from jobs import (
    cli_backfill,
    cli_config,
    cli_dead,
    cli_model,
    cli_score,
    cli_services,
    cli_simulate,
    cli_stream,
)
from jobs.errors import EXIT_BUG, EXIT_INTERRUPTED, TidewatchError

PANELS = {
    "Services on this machine": (cli_services,),
    "Payments in": (cli_simulate,),
    "Streaming jobs": (cli_score, cli_stream, cli_dead),
    "Past payments and models": (cli_backfill, cli_model),
    "Set-up": (cli_config,),
}
EXIT_CODES = ("Exit codes: 0 done; 1 the answer is no (a check failed); 2 wrong use of the command line; 3 settings; "
              "4 the machine lacks something; 5 a service; 6 a model or the registry; 7 a checkpoint; 8 data; "
              "70 a bug in Tidewatch; 130 interrupted.")

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, epilog=EXIT_CODES)
for panel, groups in PANELS.items():
    for group in groups:
        known = [*app.registered_commands, *app.registered_groups]
        group.register(app)
        for added in [*app.registered_commands, *app.registered_groups]:
            if added not in known:
                added.rich_help_panel = panel


def main() -> None:
    """Run a command; end the process with its exit code."""
    try:
        app()
    except TidewatchError as error:
        sys.stderr.write(f"error: {error.message}\n  fix: {error.fix}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        sys.stderr.write("this is a bug in Tidewatch; please report it with the lines above\n")
        sys.exit(EXIT_BUG)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("tidewatch"))
        raise typer.Exit


@app.callback()
def options(
    env: Annotated[str | None, typer.Option(envvar="TIDEWATCH_ENV", help="Settings to use: the name of a file in the "
                                                                         "conf folder; local by default.")] = None,
    conf_dir: Annotated[Path | None, typer.Option(envvar="TIDEWATCH_CONF_DIR", help="Folder with base.yaml.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                          help="Print the version and end.")] = False,
) -> None:
    """Find fraud in payments while they happen.

    Start with make demo. By hand: up, simulate, archive, backfill, train, score; every command has its own --help.
    """
    for name, value in (("TIDEWATCH_ENV", env), ("TIDEWATCH_CONF_DIR", conf_dir)):
        if value:
            os.environ[name] = str(value)


if __name__ == "__main__":
    main()
