"""``tidewatch score``: raw transactions in, explained alerts out."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jobs.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(score)


def score(
    once: Annotated[bool, typer.Option("--once", help="End when all that is in the raw topic now is scored.")] = False,
) -> None:
    """Score payments as they come and send alerts, until stopped (SIGTERM or Ctrl-C).

    A model that becomes @champion takes over between two micro-batches. Stopped or killed, it goes on where it was.
    """
    from jobs.score import scoring
    from jobs.session import spark_session
    from jobs.supervise import stop_signal, supervise

    settings = load_settings()
    _say(f"scoring {settings.kafka.topics.raw}" + ("" if once else "; Ctrl-C stops it"))
    with (
        spark_session(settings, "score") as spark,
        stop_signal() as stop,
        scoring(spark, settings, _say, available_now=once) as query,
    ):
        supervise([query], _say, stop)
    _say("scored all there was" if once and not stop.is_set() else "stopped; the next start goes on from there")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
