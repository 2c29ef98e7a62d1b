"""The command `portico replay`: what it is asked for, and how it prints it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from cli.events.reveal import Revealer
from cli.events.seen import Seen
from cli.events.since import parse_position, parse_since
from cli.operators import two_parts
from cli.problem import Problem
from cli.replay.as_of import as_of, find_view
from cli.replay.sources import Batches, from_logs, from_topics
from contracts.ids import Position, stream_id
from contracts.topics import SERVICES


class Source(StrEnum):
    """Where events are read."""

    TOPIC = "topic"
    LOG = "log"


def replay(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[SERVICE|STREAM|SERVICE/VIEW]", help="Left out: everything. A view is meant when --key is given."
        ),
    ] = "",
    *,
    about: Annotated[
        str, typer.Option(metavar="ID", help="Only events of or about this person or entity, e.g. contact/4f1c...")
    ] = "",
    since: Annotated[str, typer.Option(help="Events from here on: 2h, 30d, 2026-11-21, 2026-11-21T12:00 (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Events up to here, likewise.")] = "",
    key: Annotated[str, typer.Option(help="The key of a document of the view.")] = "",
    at: Annotated[str, typer.Option("--as-of", help="A time, or a position such as billing/2:1234.")] = "",
    source: Annotated[Source, typer.Option("--from", help="The topics, or the logs in the database.")] = Source.TOPIC,
    reveal: Annotated[
        str, typer.Option(metavar="REASON", help="Show personal values as well; who looked, and why, is recorded.")
    ] = "",
) -> None:
    """Replay events as JSON lines, in the order of time; or show a document of a view as it was at a moment.

    Reads by itself and keeps no place: no live consumer notices.
    """
    if at and not key:
        raise Problem(
            "--as-of is for a document of a view.", "Name it: `portico replay billing/owed --key ID --as-of 2h`."
        )
    revealer = Revealer.for_reason(reveal) if reveal else None
    if key:
        asyncio.run(_show(what, key, _moment(at), source, revealer))
    else:
        asyncio.run(_replay(what, _wanted(about, _time(since), _time(until)), source, revealer))


async def _replay(what: str, wanted: Callable[[Seen], bool], source: Source, revealer: Revealer | None) -> None:
    stream = what if "/" in what else None
    if what and stream is None and what not in SERVICES:
        raise Problem(f"There is no service {what!r}.", f"There are {', '.join(SERVICES)}. A stream is kind/id.")
    services = [what] if what in SERVICES else None
    try:
        async with aclosing(_events(source, services, stream)) as batches:
            async for batch in batches:
                chosen: Sequence[Seen] = [seen for seen in batch if wanted(seen)]
                if revealer:
                    chosen = await revealer.reveal(chosen)
                sys.stdout.buffer.write(b"".join(_line(seen) for seen in chosen))
                sys.stdout.flush()
    finally:
        if revealer:
            await revealer.close()


async def _show(
    what: str, key: str, until: datetime | Position | None, source: Source, revealer: Revealer | None
) -> None:
    service, name = two_parts(what, "SERVICE/VIEW")
    if service not in SERVICES:
        raise Problem(f"There is no service {service!r}.", f"There are {', '.join(SERVICES)}.")
    view = find_view(service, name)
    services = {*view.topics, *([until.service] if isinstance(until, Position) else [])}
    try:
        async with aclosing(_events(source, sorted(services), None)) as batches:
            then = await as_of(view, key, until, batches, revealer)
    finally:
        if revealer:
            await revealer.close()
    errors = Console(stderr=True, highlight=False)
    if then.last is None:
        raise Problem(
            f"{what} knew nothing of {key!r} then.", "Look at the keys: `portico replay SERVICE` shows its events."
        )
    errors.print(f"after {then.events:,} events, the last {escape(then.last.place)} at {then.last.time.isoformat()}")
    if then.document is None:
        raise Problem(f"The document {key!r} was deleted by then.")
    typer.echo(then.document.model_dump_json(indent=2))


def _events(source: Source, services: Sequence[str] | None, stream: str | None) -> Any:
    read: Callable[[Sequence[str] | None, str | None], Batches] = from_topics if source is Source.TOPIC else from_logs
    return read(services, stream)


def _wanted(about: str, since: datetime | None, until: datetime | None) -> Callable[[Seen], bool]:
    names = {about, stream_id(about)} - {""}

    def wanted(seen: Seen) -> bool:
        if (since and seen.time < since) or (until and seen.time > until):
            return False
        if not names:
            return True
        stream = seen.record.stream if seen.record else ""
        return stream in names or stream_id(stream) in names or _mentions(seen.data, names)

    return wanted


def _mentions(value: object, names: set[str]) -> bool:
    if isinstance(value, str):
        return value in names
    if isinstance(value, dict):
        return any(_mentions(inner, names) for inner in value.values())
    return isinstance(value, list) and any(_mentions(inner, names) for inner in value)


def _line(seen: Seen) -> bytes:
    """The same from the topic and from the log."""
    assert seen.record is not None  # noqa: S101 only events come here
    record = seen.record
    line = {
        "position": str(record.position),
        "time": seen.time.astimezone(UTC).isoformat(),
        "type": record.type,
        "stream": record.stream,
        "version": record.version,
        "metadata": record.metadata.known(),
        "data": seen.data,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _time(text: str) -> datetime | None:
    if not text:
        return None
    found = parse_since(text, datetime.now(UTC))
    if isinstance(found, Position):
        raise Problem(f"{text!r} is a position; a time is wanted here.", "Write 2h, 30d or 2026-11-21T12:00 (UTC).")
    return found


def _moment(text: str) -> datetime | Position | None:
    return parse_position(text) or _time(text) if text else None
