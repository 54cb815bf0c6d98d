"""What the demo shows: numbered steps, alerts as an analyst would read them, and the account at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from features.masking import without_passwords
from jobs.demo.verdict import Verdict
from jobs.settings import Settings

console = Console(highlight=False)
COLOUR = {"HIGH": "yellow", "CRITICAL": "bold red"}


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that something is going on, and how long it took."""
    started = time.monotonic()
    with console.status(f"{title} ..."):
        if not console.is_terminal:
            console.print(f"  ... {title}")
        yield
    console.print(f"[green]done[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def note(line: str) -> None:
    """A remark beside a step."""
    console.print(f"     [dim]{line}[/]")


def show_alert(alert: dict[str, Any], scheme: str | None) -> None:
    """One alert with its top reasons in words; ``scheme`` is what the simulator knows and the model does not."""
    level = alert["risk_level"]
    truth = f"[red]{scheme.replace('_', ' ')}[/]" if scheme else "[dim]honest payment[/]"
    console.print(
        f"[{COLOUR.get(level, 'white')}]{level:8}[/] {alert['risk_score']:.2f}  {alert['recommendation']:6} "
        f"user {alert['user_id']:<7} {alert['amount']:>10,.2f} {alert['currency']}  "
        f"{alert['event_time'][11:19]}  {truth}"
    )
    for reason in alert["reasons"][:3]:
        console.print(f"           [dim]+{reason['contribution']:.2f}[/] {reason['text']}")


def show_verdict(verdict: Verdict, n_payments: int) -> None:
    """Attacks by scheme, and what the rest of the alerts were."""
    table = Table("attack", "caught", "made", title="What the alerts were worth", title_justify="left")
    for scheme, (caught, made) in verdict.by_scheme().items():
        table.add_row(scheme.replace("_", " "), str(caught), str(made))
    console.print(table)
    share = verdict.n_false / max(n_payments, 1)
    console.print(f"{verdict.n_false} of {n_payments:,} payments were honest and alerted all the same ({share:.1%}).")


def show_places(settings: Settings, running: Sequence[str]) -> None:
    """Where things are, which programs go on running, and how to go on."""
    topics, tables = settings.kafka.topics, settings.archive.table_dir
    console.print(
        f"Topics at {settings.kafka.bootstrap_servers}: {topics.raw} -> {topics.scored}, {topics.alerts}, {topics.dead}"
    )
    console.print(f"Delta tables in {tables}: raw, scored, alerts, dead, features")
    console.print(f"Models in {without_passwords(settings.model.registry_uri)}")
    console.print("Go on: source .venv/bin/activate; tidewatch --help")
    if running:
        console.print(
            f"Running: {', '.join(running)}. More traffic: tidewatch simulate --frauds 3. Stop: tidewatch down"
        )
    else:
        console.print("Everything is stopped; make demo KEEP=1 leaves it running.")
