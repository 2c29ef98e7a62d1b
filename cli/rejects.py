"""`portico rejects`: the ERP's messages that did not parse or fit, with the reason of each."""

import os
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.problem import Problem
from cli.stack.state import State, state_folder
from cli.token import development_token

TIMEOUT_SECONDS = 10.0
PAGE = 200
COLUMNS = ("When", "Contract", "Code", "Reason", "Message", "Where")


def rejects(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest.")] = 20,
    language: Annotated[str, typer.Option(help="Of the reasons: de or en.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show messages of the ERP that were rejected, the newest first."""
    url, token = billing()
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        items = newest(client, limit)
        waiting = ask(client, "/erp/waiting", {})["items"]
    console = Console(highlight=False)
    if as_json:
        console.print_json(data={"rejects": items, "waiting": waiting})
    else:
        show(console, items, waiting)


def billing() -> tuple[str, str]:
    """Billing's address and a token: those of the environment, or of the stack that runs here."""
    url, token = os.environ.get("PORTICO_BILLING_URL", ""), os.environ.get("PORTICO_TOKEN", "")
    if url and token:
        return url, token
    record = State(state_folder()).record()
    return record.services["billing"], development_token(record.services["identity"], "operator")


def newest(client: httpx.Client, limit: int) -> list[dict[str, Any]]:
    """As many of the newest rejects as there are, up to `limit`."""
    items: list[dict[str, Any]] = []
    before: int | None = None
    while len(items) < limit:
        wanted = {"limit": min(PAGE, limit - len(items))} | ({"before": before} if before else {})
        page = ask(client, "/erp/rejects", wanted)
        items += page["items"]
        before = page["next_before"]
        if before is None:
            break
    return items


def ask(client: httpx.Client, path: str, parameters: dict[str, int]) -> Any:
    """What billing answers; a Problem when it does not."""
    try:
        return client.get(path, params=parameters).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise Problem(f"Billing does not answer: {reason}", "Look at `portico status`.") from error


def show(console: Console, items: list[dict[str, Any]], waiting: list[dict[str, Any]]) -> None:
    """The rejects as a table, and for which contracts messages wait."""
    if not items:
        console.print("Nothing was rejected.")
    else:
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for item in items:
            where = f"{item['topic']}/{item['partition']}:{item['offset']}"
            cells = (
                item["rejected_at"][:19],
                item["contract"],
                item["code"],
                item["reason"],
                item["message_id"],
                where,
            )
            table.add_row(*(Text(cell or "–") for cell in cells))
        console.print(table)
    if waiting:
        messages = sum(item["messages"] for item in waiting)
        numbers = ", ".join(item["contract"] for item in waiting[:10])
        more = f" and {len(waiting) - 10} more" if len(waiting) > 10 else ""
        console.print(Text(f"\nWaiting for contracts that are not known yet: {messages} ({numbers}{more})"))
