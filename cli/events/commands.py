"""The commands of `portico events`: tail, show and schema."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Annotated

import typer
from rich.console import Console
from rich.json import JSON

from cli.events.lines import as_json, details, line
from cli.events.place import Place, find_place
from cli.events.reading import Reader, open_reader
from cli.events.reveal import Revealer
from cli.events.seen import Seen
from cli.events.since import Since, parse_position, parse_since
from cli.problem import Problem
from contracts.json_schema import published, schema_of
from contracts.topics import SERVICES

app = typer.Typer(help="Tail, filter and show events.", no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Reveal = Annotated[
    str, typer.Option(metavar="REASON", help="Show personal values as well; who looked, and why, is recorded.")
]
Services = Annotated[list[str] | None, typer.Option("--service", help="Only of this service; may be repeated.")]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted. Patterns are globs; a type also matches by its short name, a stream by its kind."""

    type: str
    stream: str
    since: Since | None

    def wants(self, seen: Seen) -> bool:
        if isinstance(self.since, datetime) and seen.time < self.since:
            return False
        if seen.record is None:
            return not self.type and not self.stream
        names = (seen.record.type, seen.type_name, seen.type_name.partition(".")[0])
        streams = (seen.record.stream, seen.record.stream.partition("/")[0])
        return _matches(self.type, names) and _matches(self.stream, streams)


def _matches(pattern: str, names: Sequence[str]) -> bool:
    return not pattern or any(fnmatchcase(name, pattern) for name in names)


@app.command()
def tail(
    *,
    service: Services = None,
    type_: Annotated[str, typer.Option("--type", help="Only types like this, e.g. 'Instalment*'.")] = "",
    stream: Annotated[str, typer.Option(help="Only streams like this, e.g. instalments or 'instalments/4f*'.")] = "",
    since: Annotated[
        str, typer.Option(help="Begin here: 15m, 2h, 2026-11-21T12:00 (UTC) or a position such as billing/2:1234.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new events, or end with the last one.")
    ] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    as_json_: AsJson = False,
    reveal: Reveal = "",
) -> None:
    """Show events as they come: new ones, or from --since on. With --no-follow alone: all there are."""
    begin = parse_since(since, datetime.now(UTC)) if since else None
    wanted = Filter(type_, stream, begin)
    output = _Output(as_json_, reveal)
    with suppress(KeyboardInterrupt):
        asyncio.run(_tail(find_place(), _services(service), wanted, output, follow=follow, limit=limit))


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="POSITION|STREAM", help="billing/2:1234, or instalments/4f1c...")],
    service: Services = None,
    as_json_: AsJson = False,
    reveal: Reveal = "",
) -> None:
    """Show one event with everything about it, or all events of a stream."""
    output = _Output(as_json_, reveal)
    asyncio.run(_show(find_place(), what, _services(service), output))


@app.command()
def schema(type_: Annotated[str, typer.Argument(metavar="TYPE", help="A full type, or its short name.")]) -> None:
    """Print the JSON Schema of a published type."""
    types = published()
    found = [name for name in types if type_ in (name, name.split(".")[2], ".".join(name.split(".")[1:]))]
    if not found:
        raise Problem(f"There is no type {type_!r}.", f"There are {', '.join(types)}.")
    console = Console(highlight=False)
    console.print(JSON.from_data(schema_of(types[found[-1]]), indent=2, ensure_ascii=False), soft_wrap=True)


async def _tail(
    place: Place, services: Sequence[str], wanted: Filter, output: _Output, *, follow: bool, limit: int | None
) -> None:
    left = limit
    try:
        async with open_reader(place, services) as reader:
            async for batch in _from(reader, wanted.since, follow=follow):
                chosen = [seen for seen in batch if wanted.wants(seen)][:left]
                await output.lines(chosen)
                left = None if left is None else left - len(chosen)
                if left == 0:
                    return
    finally:
        await output.close()


async def _from(reader: Reader, since: Since | None, *, follow: bool) -> AsyncIterator[list[Seen]]:
    ends = await reader.ends()
    if since is not None:
        starts = await reader.offsets_since(since)
    else:
        starts = ends if follow else await reader.beginnings()
    async for batch in reader.records(starts, None if follow else ends):
        yield batch


async def _show(place: Place, what: str, services: Sequence[str], output: _Output) -> None:
    position = parse_position(what)
    try:
        async with open_reader(place, [position.service] if position else services) as reader:
            if position:
                found = [await reader.find(position)]
            else:
                with Console(stderr=True).status(f"Looking for {what} on {len(services)} topics"):
                    found = await reader.stream(what)
        if not found:
            raise Problem(
                f"There is no event of a stream {what!r}.", "A stream is kind/id, a position service/shard:number."
            )
        await output.details(found)
    finally:
        await output.close()


def _services(chosen: list[str] | None) -> Sequence[str]:
    for name in chosen or ():
        if name not in SERVICES:
            raise Problem(f"There is no service {name!r}.", f"There are {', '.join(SERVICES)}.")
    return chosen or SERVICES


@dataclass
class _Output:
    """Prints events, opened before when there is a reason to."""

    as_json: bool
    reason: str
    console: Console = field(default_factory=lambda: Console(highlight=False))
    _revealer: Revealer | None = None
    _day: date | None = None
    _last: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reason:
            self._revealer = Revealer.for_reason(self.reason)

    async def lines(self, events: Sequence[Seen]) -> None:
        for seen in await self._opened(events):
            repeated = self._is_repeated(seen)
            if self.as_json:
                _write(as_json(seen, repeated=repeated))
                continue
            if self.console.is_terminal and self._day != seen.time.date():
                self._day = seen.time.date()
                self.console.rule(f"{self._day:%A, %d %B %Y} UTC", style="dim", align="left")
            self.console.print(line(self.console, seen, repeated=repeated), soft_wrap=not self.console.is_terminal)
        sys.stdout.flush()

    async def details(self, events: Sequence[Seen]) -> None:
        for seen in await self._opened(events):
            if self.as_json:
                _write(as_json(seen))
            else:
                self.console.print(details(seen), soft_wrap=True)

    async def close(self) -> None:
        if self._revealer:
            await self._revealer.close()

    async def _opened(self, events: Sequence[Seen]) -> Sequence[Seen]:
        return await self._revealer.reveal(events) if self._revealer else events

    def _is_repeated(self, seen: Seen) -> bool:
        """Whether the relay published it before: after a crash it may, and consumers drop it."""
        partition = (seen.topic, seen.partition)
        repeated = 0 < seen.sequence <= self._last.get(partition, 0)
        self._last[partition] = max(seen.sequence, self._last.get(partition, 0))
        return repeated


def _write(content: bytes) -> None:
    sys.stdout.buffer.write(content + b"\n")
