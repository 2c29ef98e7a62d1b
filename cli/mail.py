"""`portico mail`: the development mailbox in the terminal, the newest mail first."""

from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.problem import Problem
from cli.stack.state import State, state_folder

TIMEOUT_SECONDS = 5.0
MOST_MAILS = 200

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST_MAILS, help="How many mails at most.")]
To = Annotated[str, typer.Option("--to", help="Only mails whose addressee contains this.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback(invoke_without_command=True)
def mail(context: typer.Context, limit: Limit = 20, to: To = "", as_json: AsJson = False) -> None:
    """Show the mails that were sent here, the newest first."""
    if context.invoked_subcommand:
        return
    url, mails = fetch(limit, to)
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=mails)
    else:
        show_list(console, url, mails)


@app.command()
def show(
    number: Annotated[int, typer.Argument(min=1, max=MOST_MAILS, help="1 is the newest, as listed by `portico mail`.")],
    to: To = "",
    as_json: AsJson = False,
) -> None:
    """Show one mail as plain text, and where to see it as a mail client does."""
    _, mails = fetch(number, to)
    if len(mails) < number:
        raise Problem(f"There is no mail number {number}: the mailbox has {len(mails)}.", "`portico mail` lists them.")
    found = mails[number - 1]
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=found)
    else:
        show_mail(console, found)


def fetch(limit: int, to: str) -> tuple[str, list[dict[str, Any]]]:
    """The mailbox's address and its newest mails; a Problem when it cannot be asked."""
    url = State(state_folder()).record().mailbox_url
    if not url:
        raise Problem("This Portico has no mailbox of its own.", "It sends real mail: see PORTICO_SMTP_URL.")
    try:
        answer = httpx.get(f"{url}/api/messages", params={"limit": limit, "to": to}, timeout=TIMEOUT_SECONDS)
        mails: list[dict[str, Any]] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise Problem(f"The mailbox at {url} does not answer: {error}", "`portico status` shows what runs.") from error
    return url, mails


def show_list(console: Console, url: str, mails: list[dict[str, Any]]) -> None:
    """A table, or a friendly word when there is nothing in it."""
    if not mails:
        console.print("No mail yet.")
        console.print(f"New ones appear here and at {url}", style="dim")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("No.", justify="right", style="dim")
    table.add_column("When", no_wrap=True)
    table.add_column("To", overflow="fold")
    table.add_column("Subject", overflow="fold")
    for number, found in enumerate(mails, start=1):
        table.add_row(str(number), _when(found), _plain(found["to"]), _plain(found["subject"]))
    console.print(table)
    console.print(f"\n`portico mail show 1` prints a mail; as pages: {url}", style="dim")


def show_mail(console: Console, found: dict[str, Any]) -> None:
    """Headers, the plain text, and the page."""
    for label, value in (("From", found["from"]), ("To", found["to"]), ("Date", _when(found))):
        console.print(Text.assemble((f"{label:<8}", "dim"), _plain(value)))
    console.print(Text.assemble((f"{'Subject':<8}", "dim"), _plain(found["subject"], "bold")))
    console.print()
    console.print(_plain(found["text"].strip()), soft_wrap=True)
    console.print()
    console.print(Text.assemble(("As a mail client shows it: ", "dim"), found["link"]), soft_wrap=True)


def _plain(text: str, style: str = "") -> Text:
    """Text of strangers: no markup, and nothing that a terminal would obey."""
    return Text("".join(char for char in text if char.isprintable() or char in "\n\t\xa0"), style)


def _when(found: dict[str, Any]) -> str:
    try:
        return f"{parsedate_to_datetime(found['date']).astimezone():%d %b %H:%M:%S}"
    except ValueError:
        return str(found["date"])
