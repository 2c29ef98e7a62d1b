"""`portico views`: read models, how large they are, and how they are rebuilt while everybody reads them."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.operators import Operator, two_parts
from cli.problem import Problem

app = typer.Typer(help="Show views and rebuild them with no downtime.", no_args_is_help=True, add_completion=False)

FORM = "SERVICE/VIEW"
COLUMNS = ("View", "Version", "Documents", "Size", "State")
POLL_SECONDS = 0.5
WAIT_SECONDS = 24 * 3600.0

View = Annotated[str, typer.Argument(metavar=FORM, help="As listed, e.g. billing/owed.")]


class Source(StrEnum):
    """Where a rebuild reads."""

    TOPIC = "topic"
    LOG = "log"


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show every version of every view that has a table. Numbers of documents are estimates."""
    operator = Operator()
    items = [
        {"service": service, **item}
        for service in operator.addresses
        for item in operator.get(service, "/ops/views")["items"]
    ]
    if as_json:
        sys.stdout.write(json.dumps({"views": items}, indent=2) + "\n")
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for item in items:
        documents, size = f"{item['documents']:,}", f"{item['bytes'] / 1024**2:,.1f} MB"
        table.add_row(f"{item['service']}/{item['name']}", str(item["version"]), documents, size, Text(_state(item)))
    Console(highlight=False).print(table)


@app.command()
def rebuild(
    view: View,
    source: Annotated[
        Source, typer.Option("--from", help="`log` is quicker, for views of the service's own events only.")
    ] = Source.TOPIC,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is swapped in.")] = True,
) -> None:
    """Build a view anew beside the live one, which is read and updated meanwhile, and swap it in."""
    service, name = two_parts(view, FORM)
    operator = Operator()
    number = operator.post(service, "/ops/views/rebuild", {"view": name, "source": source.value})["id"]
    if not wait:
        typer.echo(f"Rebuild {number} of {view} has begun; `portico views list` says how far it is.")
        return
    seconds = _wait(operator, service, name, number)
    typer.echo(f"{view} was rebuilt and swapped in after {seconds:.1f} s.")


@app.command()
def cancel(view: View) -> None:
    """Give up a rebuild; the live view stays as it is."""
    service, name = two_parts(view, FORM)
    Operator().post(service, "/ops/views/cancel", {"view": name})
    typer.echo(f"The rebuild of {view} is given up.")


def _wait(operator: Operator, service: str, name: str, number: int) -> float:
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"{service}/{name}")
        while time.monotonic() - begun < WAIT_SECONDS:
            found = next(
                (
                    item["rebuild"]
                    for item in operator.get(service, "/ops/views")["items"]
                    if item["name"] == name and item["rebuild"] and item["rebuild"]["id"] == number
                ),
                None,
            )
            if found is not None and found["outcome"] == "swapped":
                return time.monotonic() - begun
            if found is not None and found["outcome"]:
                raise Problem(f"The rebuild of {service}/{name} was {found['outcome']}.")
            if found is not None:
                bar.update(task, completed=found["applied"], total=found["to_apply"])
            time.sleep(POLL_SECONDS)
    raise Problem(f"The rebuild of {service}/{name} is still under way.", "`portico views list` says how far it is.")


def _state(item: dict[str, Any]) -> str:
    rebuilding = item["rebuild"]
    if rebuilding and rebuilding["ended_at"] is None:
        share = rebuilding["applied"] / max(1, rebuilding["to_apply"])
        return f"being rebuilt from the {rebuilding['source']}: {min(1.0, share):.0%}"
    if not item["live"]:
        return f"old: last used {item['used_at'][:16]}, dropped when unused for 7 days"
    if rebuilding and rebuilding["outcome"] == "swapped":
        return f"live, rebuilt {rebuilding['ended_at'][:16]}"
    return "live"
