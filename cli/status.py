"""`portico status`: how every service is, how far relays and consumers are behind, what is parked."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.problem import Problem
from cli.stack.state import State, state_folder
from cli.token import development_token

TIMEOUT_SECONDS = 5.0
READY = {True: "[green]ready[/] ", False: "[red]not ready[/] "}


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show services, relay backlog, consumer lag and parked events. Exits with 1 when a service is not ready."""
    record = State(state_folder()).record()
    try:
        token = development_token(record.services["identity"], "operator")
    except Problem:
        token = ""
    with ThreadPoolExecutor(len(record.services)) as pool:
        answers = list(pool.map(lambda item: ask(item[0], item[1], token), record.services.items()))
    console = Console(highlight=False)
    if as_json:
        console.print_json(data={"services": answers})
    else:
        show(console, answers)
    if not all(answer["ready"] for answer in answers):
        raise typer.Exit(1)


def ask(service: str, url: str, token: str) -> dict[str, Any]:
    """One service's own account of itself; what it did not tell is empty, with the reason under `error`."""
    found: dict[str, Any] = {"service": service, "ready": False, "relay": [], "consumers": [], "parked": []}
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
            found["ready"] = client.get("/health/ready").status_code == httpx.codes.OK
            answer = client.get("/ops/status", headers={"Authorization": f"Bearer {token}"} if token else {})
            found |= answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        found["error"] = str(error).partition("\n")[0] or type(error).__name__
    return {**found, "url": url}


def show(console: Console, answers: list[dict[str, Any]]) -> None:
    """The services as one table; what lags or is parked, if anything, as tables of their own."""
    table = Table(box=None, pad_edge=False)
    for name in ("Service", "State", "Events", "To publish", "Behind", "Parked"):
        table.add_column(name, justify="left" if name in ("Service", "State") else "right")
    for answer in answers:
        table.add_row(
            answer["service"],
            READY[answer["ready"]] + escape(answer.get("error", "")),
            f"{sum(shard['head'] for shard in answer['relay']):,}",
            f"{sum(shard['backlog'] for shard in answer['relay']):,}",
            f"{sum(consumer['lag'] for consumer in answer['consumers']):,}",
            f"{sum(parked['count'] for parked in answer['parked']):,}",
        )
    console.print(table)
    _show_rows(console, "Behind", ("consumer", "topic", "partition", "position", "lag"), _behind(answers))
    _show_rows(
        console,
        "Stopped: an event is missing on the topic",
        ("consumer", "topic", "partition", "after"),
        _gaps(answers),
    )
    _show_rows(console, "Parked", ("consumer", "stream", "count", "event", "error"), _parked(answers))
    _show_rows(console, "Being rebuilt", ("view", "from", "since", "events", "of"), _rebuilds(answers))


def _behind(answers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (f"{a['service']}/{c['name']}", c["topic"], str(c["partition"]), f"{c['position']:,}", f"{c['lag']:,}")
        for a in answers
        for c in a["consumers"]
        if c["lag"]
    ]


def _parked(answers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (f"{a['service']}/{p['consumer']}", p["stream"], f"{p['count']:,}", p.get("position", ""), p["error"])
        for a in answers
        for p in a["parked"]
    ]


def _gaps(answers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (f"{a['service']}/{c['name']}", c["topic"], str(c["partition"]), f"{c['position']:,}")
        for a in answers
        for c in a["consumers"]
        if c.get("stopped_at_gap")
    ]


def _rebuilds(answers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            *(f"{a['service']}/{view['name']}", view["rebuild"]["source"], view["rebuild"]["started_at"][:19]),
            *(f"{view['rebuild']['applied']:,}", f"{view['rebuild']['to_apply']:,}"),
        )
        for a in answers
        for view in a.get("rebuilds", ())
    ]


def _show_rows(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print()
    console.print(table)
