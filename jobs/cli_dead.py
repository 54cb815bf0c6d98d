"""`tidewatch dead`: look at what was refused, and send it again."""
from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.transaction import Reason
from jobs.settings import load_settings

if TYPE_CHECKING:
    from jobs.dead import Choice

N_PREVIEW_CHARS = 100
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]

Reasons = Annotated[list[str] | None, typer.Option(
    "--reason", help="Only letters with this reason, such as no_rate or missing_field:amount; missing_field alone "
                     "means any field. Repeat it for more.")]
Since = Annotated[datetime | None, typer.Option(formats=FORMATS, help="Recorded by Kafka at or after it; UTC.")]
Until = Annotated[datetime | None, typer.Option(formats=FORMATS, help="Recorded by Kafka before it; UTC.")]


class At(StrEnum):
    """The record time of a replayed message; the same words as dead_replay.RecordTime."""

    ORIGINAL = "original"
    NOW = "now"


def register(app: typer.Typer) -> None:
    dead = typer.Typer(no_args_is_help=True, help="Look at payments that were refused, and send them again.")
    dead.command("list")(list_letters)
    dead.command("replay")(replay)
    app.add_typer(dead, name="dead")


def list_letters(
    reason: Reasons = None, since: Since = None, until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 20,
) -> None:
    """Show archived dead letters, newest first: when, where, why, and the beginning of their bytes."""
    from jobs import dead
    from jobs.session import spark_session

    settings = load_settings()
    with spark_session(settings, "dead list") as spark:
        letters = dead.read_letters(spark, settings, _choice(reason, since, until))
        for row in dead.newest(spark, settings, letters, limit):
            typer.echo(letter_line(row))
        counts = dead.count_reasons(letters)
        _say(", ".join(f"{name} {count:,}" for name, count in counts.items()) or "no dead letters like these")


def replay(
    reason: Reasons = None, since: Since = None, until: Until = None,
    at: Annotated[At, typer.Option(help="Record time, which lateness is judged by: as it was, or now.")] = At.ORIGINAL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Send again what was sent before.")] = False,
) -> None:
    """Send dead letters to the raw topic again, after what made them dead was mended.

    Each goes to its partition with its key and bytes, and is noted: a second run does not send it again. Duplicates are
    never sent, as their originals were scored.
    """
    if Reason.DUPLICATE in (reason or ()):
        raise typer.BadParameter("a duplicate is not sent again: its original was scored, and another copy would be a "
                                 "duplicate again", param_hint="--reason")
    from jobs import dead, dead_replay
    from jobs.session import spark_session

    settings = load_settings()
    with spark_session(settings, "dead replay") as spark:
        letters = dead.replayable(spark, settings, _choice(reason, since, until), force=force)
        fates = dead.count_fates(letters)
        for fate, why in dead.KEPT_BACK.items():
            if fate in fates:
                _say(f"{fates[fate]:,} kept back: {why}")
        n_due = fates.get(dead.SEND, 0)
        if dry_run or not n_due:
            typer.echo(f"{n_due:,} to send to {settings.kafka.topics.raw}")
            return
        typer.echo(f"{dead_replay.replay(settings, letters, at.value, _say):,} sent to {settings.kafka.topics.raw}")


def letter_line(row: Any) -> str:
    """One letter in one line, whatever its bytes are."""
    place = f"{row.topic}:{row.partition}:{row.offset}"
    return f"{row.refused_at}  {place}  {', '.join(row.reasons)}  {preview(row.value)}"


def preview(value: bytes | None) -> str:
    """The beginning of a message as text that is safe on any terminal: what does not print is shown as an escape."""
    if value is None:
        return "(not in the table raw yet)"
    text = bytes(value[: 4 * N_PREVIEW_CHARS]).decode("utf-8", "backslashreplace")
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return safe if len(safe) <= N_PREVIEW_CHARS else f"{safe[:N_PREVIEW_CHARS]}..."


def _choice(reasons: list[str] | None, since: datetime | None, until: datetime | None) -> Choice:
    from jobs.dead import Choice

    return Choice(tuple(reasons or ()), _utc(since), _utc(until))


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
