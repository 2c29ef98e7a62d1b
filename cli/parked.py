"""`portico parked`: events that a consumer could not apply, and what becomes of them."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.events.lines import clean
from cli.operators import Operator, two_parts
from cli.problem import Problem

app = typer.Typer(
    help="Show events that could not be applied, retry them, or give them up.",
    no_args_is_help=True,
    add_completion=False,
)

FORM = "SERVICE/CONSUMER"
COLUMNS = ("Consumer", "Stream", "Waiting", "Since", "Event", "Type", "Error")
MAXIMUM_CALLS = 1_000

Consumer = Annotated[str, typer.Argument(metavar=FORM, help="As listed, e.g. billing/view:owed:v2.")]
Stream = Annotated[str, typer.Argument(help="As listed, e.g. ledger/4f1c...; or --all.")]
All = Annotated[bool, typer.Option("--all", help="All parked streams of the consumer.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show parked streams, each with the event that could not be applied: the others wait behind it."""
    operator = Operator()
    items = [
        {"service": service, **item}
        for service in operator.addresses
        for item in operator.get(service, "/ops/parked")["items"]
    ]
    if as_json:
        sys.stdout.write(json.dumps({"parked": items}, indent=2) + "\n")
        return
    console = Console(highlight=False)
    if not items:
        console.print("Nothing is parked.")
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for item in items:
        table.add_row(*(Text(clean(cell), overflow="fold") for cell in _cells(item)))
    console.print(table)


@app.command()
def retry(consumer: Consumer, stream: Stream = "", every: All = False) -> None:
    """Apply parked events again, in the order of their stream, up to the first that still fails."""
    applied, left = _handle("retry", consumer, stream, every)
    typer.echo(f"{applied:,} events were applied; {_left(left)}.")


@app.command()
def drop(
    consumer: Consumer,
    stream: Stream = "",
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Give up the event of a stream that cannot be applied; then `retry` applies those behind it."""
    if not yes and sys.stdin.isatty():
        what = "the first parked event of every stream" if every else f"the first parked event of {stream}"
        typer.confirm(f"Give up {what} for {consumer}? It will never be applied there.", abort=True, err=True)
    dropped, left = _handle("drop", consumer, stream, every)
    typer.echo(f"{dropped:,} events were given up; {_left(left)}.")


def _handle(action: str, consumer: str, stream: str, every: bool) -> tuple[int, int]:
    """How many events were handled, and how many streams of the consumer are parked still."""
    service, name = two_parts(consumer, FORM)
    if bool(stream) == every:
        raise Problem("Name a stream, or say --all.", "`portico parked list` shows the streams.")
    operator = Operator()
    records, after = 0, 0
    for _ in range(MAXIMUM_CALLS):
        wanted = {"consumer": name, "after": after} | ({"stream": stream} if stream else {})
        answer = operator.post(service, f"/ops/parked/{action}", wanted)
        records += answer["records"]
        if answer["next"] is None:
            break
        after = answer["next"]
    return records, answer["streams_left"]


def _cells(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{item['service']}/{item['consumer']}",
        item["stream"],
        f"{item['count']:,}",
        item["since"][:19],
        item["position"],
        item["type"] or "\N{EN DASH}",
        item["error"],
    )


def _left(streams: int) -> str:
    return f"{streams:,} streams are parked still" if streams else "nothing is parked any more"
