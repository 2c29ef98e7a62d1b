"""`portico bus`: what operators do with topics. The log has everything, so a lost topic is no loss."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress, TaskID

from chassis.errors import Unavailable
from chassis.restore import Restored
from chassis.restore import restore as refill
from chassis.topics import UnfitTopic, ensure_topics
from cli.events.place import Place, find_place
from cli.logs import open_log
from cli.problem import Problem
from contracts.topics import SERVICES, TOPICS

app = typer.Typer(help="Look after topics.", no_args_is_help=True, add_completion=False)


@app.callback()
def bus() -> None:
    """Look after topics."""


@app.command()
def restore(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")],
    shard: Annotated[list[int] | None, typer.Option(min=0, help="Only this partition; may be repeated.")] = None,
) -> None:
    """Make a service's topic where it is missing, and fill in from the log what it lacks, while all else runs on.

    Safe to repeat. Consumers go on by sequence: they drop what they know and find what they miss.
    """
    if service not in SERVICES:
        raise Problem(f"There is no service {service!r}.", f"There are {', '.join(SERVICES)}.")
    for one in asyncio.run(_restore(service, shard)):
        typer.echo(
            f"{service}/{one.shard}: {one.present:,} of {one.head:,} were there in order, {one.published:,} published."
        )


@dataclass(frozen=True)
class _Topics:
    """What chassis.topics and chassis.restore need to know."""

    place: Place
    shards: int
    topic_replicas: int

    @property
    def kafka_servers(self) -> str:
        return self.place.kafka_servers

    def topic(self, name: str) -> str:
        return self.place.topic(name)


async def _restore(service: str, chosen: list[int] | None) -> list[Restored]:
    place = find_place()
    said: dict[int, Restored] = {}
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[int, TaskID] = {}
        async with open_log(service) as log:
            wrong = [number for number in chosen or () if number >= log.shards]
            if wrong:
                raise Problem(f"{service} has no shard {wrong[0]}.", f"It has 0 to {log.shards - 1}.")
            topics = _Topics(place, log.shards, int(os.environ.get("PORTICO_TOPIC_REPLICAS", "1")))
            try:
                await ensure_topics(topics, [topic for topic in TOPICS if topic.name == service])
                async for state in refill(log, topics, sorted(set(chosen or range(log.shards)))):
                    if state.shard not in tasks:
                        tasks[state.shard] = bar.add_task(f"{service}/{state.shard}", total=state.head)
                    bar.update(tasks[state.shard], completed=state.present + state.published)
                    said[state.shard] = state
            except (Unavailable, UnfitTopic, KafkaError, TimeoutError) as error:
                raise Problem(f"The topic of {service} was not restored: {error}", "Run it again.") from error
    return list(said.values())
