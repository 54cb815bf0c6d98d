"""`tidewatch up`, `down`, `status`: the services on this machine and the topics."""
from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.errors import ServiceError
from jobs.settings import Settings, load_settings

if TYPE_CHECKING:
    from jobs.services.service import Service, ServiceStatus
    from jobs.services.topics import TopicState

PANEL = "Services on this machine"

ShortenRetention = Annotated[bool, typer.Option(
    "--shorten-retention", help="Also set a retention back that is longer than declared. Deletes records.")]
Wipe = Annotated[bool, typer.Option("--wipe", help="Also remove the services' data: every topic with its records.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before --wipe.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def register(app: typer.Typer) -> None:
    for command in (up, down, status):
        app.command(rich_help_panel=PANEL)(command)


def up(shorten_retention: ShortenRetention = False) -> None:
    """Start what runs on this machine (a Kafka broker) and make the topics as conf/topics.yaml declares them.

    Safe to repeat. What the settings place elsewhere is not started.
    """
    from jobs.services import local_services
    from jobs.services.topics import ensure_topics

    settings = load_settings()
    for service in local_services(settings, typer.echo):
        _start(service, settings)
    changes = ensure_topics(settings, may_delete_records=shorten_retention)
    for change in changes:
        typer.echo(f"topic {change.topic}: {change.what}")
    if not changes:
        typer.echo("topics: as declared")
    typer.echo("Next: `tidewatch status` shows services and topics, `tidewatch down` stops them.")


def down(wipe: Wipe = False, yes: Yes = False) -> None:
    """Stop every service on this machine, also one that a crash left behind. Data stay."""
    from jobs.services import background_jobs, local_services

    settings = load_settings()
    services = [*local_services(settings), *(job for job in background_jobs(settings) if job.is_used)]
    if wipe:
        _agree_to_wipe(services, yes)
    for service in reversed(services):
        typer.echo(f"{service.name}: {'stopped' if service.stop() else 'was not running'}")
        if wipe:
            service.wipe()
            typer.echo(f"{service.name}: {service.home} emptied")


def status(as_json: AsJson = False) -> None:
    """Show services and topics. The exit code is 0 when all are there and answer, else 5."""
    from jobs.services import background_jobs, local_services
    from jobs.services.topics import topic_states

    settings = load_settings()
    services = [*local_services(settings), *background_jobs(settings)]
    used = [service.status() for service in services if service.is_used]
    topics = topic_states(settings) if all(service.is_up for service in used) else {}
    if as_json:
        typer.echo(json.dumps(_as_plain(used, topics), indent=2))
    else:
        _print_tables(used, topics)
    if not topics or None in topics.values():
        raise typer.Exit(ServiceError.exit_code)


def _start(service: Service, settings: Settings) -> None:
    if not service.is_used:
        typer.echo(f"{service.name}: not started; the settings name {settings.kafka.bootstrap_servers}")
        return
    started = service.start()
    typer.echo(f"{service.name}: up at {started.address} (pid {started.pid})\n"
               f"  data  {started.home}\n  log   {started.log_file}")


def _agree_to_wipe(services: list[Service], yes: bool) -> None:
    for service in services:
        typer.echo(f"This removes {service.home}: every topic with its records, for good. Delta tables stay. "
                   "Checkpoints of streaming jobs stay too, but point into the removed topics: a job started from one "
                   "will refuse.")
    if not yes:
        typer.confirm("Go on?", abort=True)


def _as_plain(services: list[ServiceStatus], topics: dict[str, TopicState | None]) -> dict[str, object]:
    return {
        "services": [{key: value if isinstance(value, int) or value is None else str(value)
                      for key, value in asdict(service).items()} for service in services],
        "topics": {name: asdict(topic) | {"n_messages": topic.n_messages} if topic else None
                   for name, topic in topics.items()},
    }


def _print_tables(services: list[ServiceStatus], topics: dict[str, TopicState | None]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    table = Table("service", "state", "address", "pid", Column("data", overflow="fold"))
    for service in services:
        table.add_row(service.name, service.state, service.address, str(service.pid or ""), str(service.home))
    console.print(table)
    if not topics:
        console.print("Topics are not shown: start the services with `tidewatch up`.")
        return
    table = Table("topic", Column("partitions", justify="right"), Column("messages", justify="right"), "retention",
                  caption="messages: offsets in use; compaction and transactions leave gaps")
    for name, topic in topics.items():
        table.add_row(*(_topic_row(topic) if topic else (name, "missing: `tidewatch up` creates it")))
    console.print(table)


def _topic_row(topic: TopicState) -> tuple[str, str, str, str]:
    return topic.name, str(len(topic.end_offsets)), f"{topic.n_messages:,}", _retention(topic)


def _retention(topic: TopicState) -> str:
    if topic.cleanup_policy == "compact":
        return "last of each key"
    if topic.retention_ms < 0:
        return "for ever"
    return str(timedelta(milliseconds=topic.retention_ms)).removesuffix(", 0:00:00")
