"""`tidewatch simulate`, `replay-file`: payments into the raw topic, or into a file."""
from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jobs.simulate.run import Simulation

WORLD, TIME, DIRT = "World", "When and how many", "Dirt, as a share of all payments (0 to 1)"
DAY_MS = 86_400_000


def _share(help_text: str) -> typer.models.OptionInfo:
    return typer.Option(help=help_text, min=0, max=1, rich_help_panel=DIRT)


To = Annotated[str, typer.Option(help="kafka: into the raw topic. bulk: the same through Spark, the payments pressed "
                                      "into the last minutes, to load the jobs with. Else a file that ends in .jsonl "
                                      "or .parquet.")]
Users = Annotated[int, typer.Option(min=1, help="Number of users.", rich_help_panel=WORLD)]
PerDay = Annotated[float, typer.Option(min=0.01, max=50, help="Payments of a user per day, on average.",
                                       rich_help_panel=WORLD)]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, users and times give the same bytes.",
                                   rich_help_panel=WORLD)]
Frauds = Annotated[int, typer.Option(min=0, help="Attacks put in: card testing, impossible travel and account "
                                                 "takeover in turn, each of several payments.",
                                     rich_help_panel=WORLD)]
LabelFile = Annotated[Path | None, typer.Option("--labels", rich_help_panel=WORLD, help=(
    "Write the truth there, one row per message: transaction_id, user_id, scheme, is_fraud, dirt. .parquet or .csv."))]
Days = Annotated[float | None, typer.Option(min=0.01, rich_help_panel=TIME, help=(
    "A history of so many days, sent as fast as possible; 1 unless the traffic is live."))]
End = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], rich_help_panel=TIME,
                                              help="End of the history, UTC; now by default.")]
Rate = Annotated[float | None, typer.Option(min=0.01, rich_help_panel=TIME, help=(
    "Live traffic, to kafka only: so many payments per second, dated as they are sent; 50 by default."))]
Duration = Annotated[float | None, typer.Option(min=1, rich_help_panel=TIME,
                                                help="Seconds of live traffic; 60 by default.")]
Late = Annotated[float, _share("Event time further back than the contract allows. To kafka.")]
Future = Annotated[float, _share("Event time further ahead than the contract allows. To kafka.")]
OutOfOrder = Annotated[float, _share("Sent after the user's next payment.")]
Ties = Annotated[float, _share("Same event time as the user's payment before.")]
Duplicates = Annotated[float, _share("Sent twice.")]
Malformed = Annotated[float, _share("Bytes that the contract refuses. Not to .parquet.")]


def register(app: typer.Typer) -> None:
    app.command()(simulate)
    app.command("replay-file")(replay_file)


def simulate(
    to: To = "kafka", users: Users = 5000, per_day: PerDay = 3.5, seed: Seed = 1, frauds: Frauds = 0,
    labels: LabelFile = None, days: Days = None, end: End = None, rate: Rate = None, duration: Duration = None,
    late: Late = 0, future: Future = 0, out_of_order: OutOfOrder = 0, ties: Ties = 0, duplicates: Duplicates = 0,
    malformed: Malformed = 0,
) -> None:
    """Make up payments of a seeded world, with frauds and their labels.

    Live, 100 payments a second for a minute: tidewatch simulate --rate 100 --users 50000 --frauds 3

    A history in Kafka, ended now: tidewatch simulate --days 2

    A history in a file: tidewatch simulate --days 30 --end 2026-01-31 --to history.parquet --labels truth.parquet
    """
    from jobs.settings import load_settings
    from jobs.simulate.dirt import Dirt
    from jobs.simulate.run import Simulation

    settings = load_settings()
    is_live = to == "kafka" and days is None
    if (rate or duration) and not is_live:
        raise typer.BadParameter("--rate and --duration are for live traffic: --to kafka, without --days")
    contract = settings.contract
    dirt = Dirt(late, future, out_of_order, ties, duplicates, malformed,
                contract.max_lateness_s * 1000, contract.max_skew_s * 1000)
    run = Simulation(settings, seed, users, per_day, frauds, dirt, labels, say=_say)
    if is_live:
        typer.echo(run.live(rate or 50, duration or 60))
    else:
        end_ms = int(end.replace(tzinfo=UTC).timestamp() * 1000) if end else int(time.time() * 1000)
        typer.echo(_past(run, to, end_ms - int((days or 1) * DAY_MS), end_ms))


def _past(run: Simulation, to: str, start_ms: int, end_ms: int) -> str:
    if to == "kafka":
        return run.history_to_kafka(start_ms, end_ms)
    if to == "bulk":
        return run.bulk(start_ms, end_ms)
    return run.history_to_file(Path(to), start_ms, end_ms)


def replay_file(
    path: Annotated[Path, typer.Argument(help="A .parquet, .jsonl, .ndjson or .json file, or a folder of them, "
                                              "which is read in name order.")],
) -> None:
    """Send a history from files into the raw topic, each record dated by its own event time.

    Needed are transaction_id, user_id, amount and timestamp. What cannot be read is sent as well, and ends as a dead
    letter with its reason.
    """
    from jobs.progress import progress_bar
    from jobs.replay_file import replay_file as send
    from jobs.replay_file import survey
    from jobs.settings import load_settings

    settings = load_settings()
    found, started, n = survey(path), time.monotonic(), 0
    with progress_bar(f"{path.name} to {settings.kafka.topics.raw}", found.n_rows) as show:
        def advance(n_rows: int) -> None:
            nonlocal n
            n += n_rows
            show(n, f"{n:,} rows")

        send(settings, path, found, _say, advance)
    elapsed_s = time.monotonic() - started
    typer.echo(f"{found.n_rows:,} rows of {path} sent to {settings.kafka.topics.raw} in {elapsed_s:,.1f} s "
               f"({found.n_rows / elapsed_s:,.0f}/s); event times {_span(found.oldest_ms, found.newest_ms)}")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _span(oldest_ms: int | None, newest_ms: int | None) -> str:
    if oldest_ms is None or newest_ms is None:
        return "none"
    first, last = (datetime.fromtimestamp(at_ms / 1000, UTC) for at_ms in (oldest_ms, newest_ms))
    return f"{first:%Y-%m-%d %H:%M:%S} .. {last:%Y-%m-%d %H:%M:%S} UTC"
