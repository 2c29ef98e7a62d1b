"""`portico seed`: an invented utility with as many customers as one likes, the same for the same seed and day."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.problem import Problem
from cli.seeding.feeder import Fed, Target, applied, feed
from cli.seeding.generator import MAXIMUM_CUSTOMERS, Customer, customers
from cli.stack.state import State, state_folder
from cli.token import development_token
from contracts.topics import ERP_IN

ROLE = "operator"
LABELS = {
    "contacts": "contacts imported",
    "contracts": "contracts imported",
    "messages": "ERP messages sent",
    "applied": "taken by billing",
}


def seed(
    count: Annotated[int, typer.Option("--customers", min=1, max=MAXIMUM_CUSTOMERS, help="How many.")] = 200,
    seed_number: Annotated[
        int, typer.Option("--seed", min=0, max=9_999, help="Other numbers make other customers beside these.")
    ] = 1,
    today: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day up to which the ERP tells. Default: today.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until billing has taken every message.")] = True,
) -> None:
    """Make a plausible utility: customers, contracts, plans and 14 months of billing events.

    All of it goes through the public import and the ERP's topic. The same again changes nothing.
    """
    day = today.date() if today else datetime.now(UTC).date()
    target = find_target()
    console = Console(stderr=True)
    started = time.monotonic()
    fed = asyncio.run(_fed(target, customers(count, seed_number, day), count, wait=wait, console=console))
    console.print(
        f"[bold]{count:,}[/] customers of Stadtwerke Lindenau in {time.monotonic() - started:.1f} s: "
        f"{fed.created:,} records created, {fed.updated:,} updated, {fed.unchanged:,} unchanged; "
        f"{fed.messages:,} ERP messages."
    )


def find_target() -> Target:
    """The Portico that the environment names (as `portico env` prints it), otherwise the one of the state folder."""
    environment = os.environ
    topic = f"{environment.get('PORTICO_TOPIC_PREFIX') or 'portico'}.{ERP_IN.name}"
    wanted = ("PORTICO_ENTITIES_URL", "PORTICO_KAFKA_SERVERS", "PORTICO_TOKEN")
    if all(environment.get(name) for name in wanted):
        entities_url, kafka_servers, token = (environment[name] for name in wanted)
        return Target(entities_url, environment.get("PORTICO_BILLING_URL"), kafka_servers, topic, token)
    record = State(state_folder()).record()
    if not record.ready:
        raise Problem("Portico is still starting.", "Try again when `portico status` shows every service ready.")
    return Target(
        entities_url=record.services["entities"],
        billing_url=record.services.get("billing"),
        kafka_servers=record.kafka_servers,
        topic=topic,
        token=development_token(record.services["identity"], ROLE),
    )


async def _fed(target: Target, invented: Iterator[Customer], count: int, *, wait: bool, console: Console) -> Fed:
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        shown = {"contacts": progress.add_task(LABELS["contacts"], total=count)}
        for name in ("contracts", "messages"):
            shown[name] = progress.add_task(LABELS[name], total=None)

        def advance(name: str, by: int) -> None:
            progress.advance(shown[name], by)

        fed = await feed(target, invented, advance)
        for name in ("contracts", "messages"):
            progress.update(shown[name], total=progress.tasks[shown[name]].completed)
        if wait:
            shown["applied"] = progress.add_task(LABELS["applied"], total=fed.messages)
            await applied(target, fed, advance)
    return fed
