"""`portico demo`: everything started, a utility set up, and two stories told and verified step by step."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.invocation import portico
from cli.problem import Problem
from cli.seeding.feeder import Target, applied, feed
from cli.seeding.generator import customers
from cli.stack.background import is_ready, started
from cli.stack.gateway import STAFF, index_url, site_url
from cli.stack.state import Record, State, state_folder
from cli.story.account import Terminal
from cli.story.customer import play_customer
from cli.story.people import MARIA, Visitor, employ
from cli.story.plot import CUSTOMER, play
from cli.story.stage import ERP_IN, Place, StoryFailed, set_up
from cli.story.utility import PORTAL
from cli.token import development_token

CUSTOMERS = 200
SEED = 1
LIMIT_SECONDS = 300


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Go on running afterwards, until Ctrl-C.")] = False,
    count: Annotated[int, typer.Option("--customers", min=0, max=10_000, help="How many more to invent.")] = CUSTOMERS,
) -> None:
    """Start everything (unless it runs already), invent customers, and play the two stories."""
    console = Console(highlight=False)
    state = State(state_folder())
    with _ended_by_sigterm(), _running(state, console) as (record, ours):
        try:
            visitors = asyncio.run(_perform(Place.of(record), count, console))
        except StoryFailed as failed:
            console.print(f"\n[bold red]✗ Expected {escape(failed.expected)}[/]")
            console.print(f"[red]  but got {escape(str(failed.came))}[/]")
            console.print(f"  The logs are in {state.logs}.")
            raise typer.Exit(1) from failed
        except (KafkaError, OSError) as error:
            reason = str(error) or f"it took longer than {LIMIT_SECONDS} s"
            raise Problem(f"The demo was cut off: {reason}.", f"The logs are in {state.logs}.") from error
        _what_next(console, record, stays=keep or not ours)
        _who_signs_in(console, record, visitors)
        if keep and ours:
            console.print("\nEverything goes on running here until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                signal.pause()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as an exit, so that what runs in it is stopped; afterwards it means what it did before."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _running(state: State, console: Console) -> Iterator[tuple[Record, bool]]:
    """The stack that runs on the state folder, or one of our own; and whether it is our own."""
    if state.running_pid():
        if not is_ready(state):
            raise Problem("Portico is just starting here.", "Try again when `portico status` shows it ready.")
        console.print(f"Using the Portico that runs on {state.folder}.")
        yield state.record(), False
        return
    state.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.print("Starting PostgreSQL, Kafka, the mailbox and seven services …")
    with started(state) as record:
        console.print("[green]Everything is ready.[/]")
        yield record, True
        console.print("Stopping …")


async def _perform(place: Place, count: int, console: Console) -> list[Visitor]:
    async with asyncio.timeout(LIMIT_SECONDS):
        if count:
            await _more_customers(place, count, console)
        async with set_up(place, Terminal(console)) as stage:
            await play(stage)
            visitors = await play_customer(stage)
            await employ(stage, MARIA)
    console.print("\n[bold green]Both stories went as they must; every step was verified.[/]")
    return visitors


async def _more_customers(place: Place, count: int, console: Console) -> None:
    """Company for those of the story: the same customers every time, so that repeating it changes nothing."""
    token = await asyncio.to_thread(development_token, place.services["identity"], "operator")
    topic = f"{place.topic_prefix}.{ERP_IN}"
    target = Target(place.services["entities"], place.services["billing"], place.kafka_servers, topic, token)
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        contacts = progress.add_task(f"{count} customers over the import", total=count)
        messages = progress.add_task("their bills over the ERP's topic", total=None)

        def advance(what: str, by: int) -> None:
            if what == "contacts":
                progress.advance(contacts, by)
            elif what == "applied":
                progress.advance(messages, by)

        fed = await feed(target, customers(count, SEED, datetime.now(UTC).date()), advance)
        progress.update(messages, total=fed.messages)
        await applied(target, fed, advance)


def _what_next(console: Console, record: Record, *, stays: bool) -> None:
    console.print("\n[bold]What to try next[/]")
    lines = [
        (f'eval "$({portico()} env)"', "addresses, a token, portico and psql in this shell"),
        ("portico events tail", "every event, live and in colours"),
        ('kcat -b "$PORTICO_KAFKA_SERVERS" -t portico.billing -C -o beginning -e', "the topic as an ERP sees it"),
        (
            f'curl -H "Authorization: Bearer $(portico token --role customer --contact {CUSTOMER} --portal {PORTAL})" '
            '"$PORTICO_API_URL/portal/contracts"',
            "the read-model API as Anna Sommer",
        ),
    ]
    if not stays:
        lines.insert(0, (f"{portico()} up", "start it again; all of this is still there"))
    if record.front_url:
        lines.append((f"{record.front_url}/api/docs", "all APIs, in a browser"))
    if record.mailbox_url:
        lines.append((record.mailbox_url, "the mailbox, in a browser"))
    lines.append((index_url(record.ports), "the portals and the pages of staff, in a browser"))
    for what, why in lines:
        console.print(f"  [cyan]{escape(what)}[/]", soft_wrap=True)
        console.print(f"      [dim]{why}[/]")


def _who_signs_in(console: Console, record: Record, visitors: Sequence[Visitor]) -> None:
    console.print("\n[bold]Who can sign in[/]")
    places = [(site_url(PORTAL, record.ports), visitor) for visitor in visitors]
    for place, who in [*places, (site_url(STAFF, record.ports), MARIA)]:
        console.print(f"  [cyan]{who.name}[/] at {place}", soft_wrap=True)
        console.print(f"      {escape(who.email)}   [dim]password:[/] {escape(who.password)}", soft_wrap=True)
