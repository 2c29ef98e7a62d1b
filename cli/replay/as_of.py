"""A document of a view as it was at a time or a position: its events folded by the view's own pure fold."""

from __future__ import annotations

import base64
import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from pydantic import BaseModel, SecretStr

from chassis.settings import Settings
from chassis.views import View
from cli.events.reveal import Revealer, as_box
from cli.events.seen import Seen
from cli.problem import Problem
from cli.replay.sources import Batches
from contracts.base import decode, newest
from contracts.envelope import Envelope
from contracts.ids import Position

MAXIMUM_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class Then:
    """A document as it was, None when there was none; after how many events, and the last of them."""

    document: BaseModel | None
    events: int
    last: Seen | None


def find_view(service: str, name: str) -> View[Any]:
    """The view of a service by its name; nothing of the service is started."""
    nowhere = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        kafka_servers="127.0.0.1:1",
        master_key=SecretStr(base64.b64encode(bytes(32)).decode()),
        identity_url="http://127.0.0.1:1",
    )
    handlers = import_module(f"services.{service}.app").create(nowhere).rebuilds.handlers
    if name not in handlers:
        raise Problem(f"{service} has no view {name!r}.", f"It has {', '.join(sorted(handlers)) or 'none'}.")
    view: View[Any] = handlers[name].view
    return view


async def as_of(
    view: View[Any], key: str, until: datetime | Position | None, events: Batches, revealer: Revealer | None
) -> Then:
    """Folds the events of one key. A position means that event, and elsewhere what had happened by its time."""
    wanted = {event.type.rpartition(".")[0] for event in view.events}
    found: list[Seen] = []
    moment = until if isinstance(until, datetime) else None
    async for batch in events:
        for seen in batch:
            if seen.record is None:
                continue
            if seen.record.position == until:
                moment = seen.time
            if seen.record.type.rpartition(".")[0] in wanted and view.key(_envelope(seen)) == key:
                found.append(seen)
        if len(found) > MAXIMUM_EVENTS:
            raise Problem(f"{key} has more than {MAXIMUM_EVENTS:,} events.")
    if isinstance(until, Position) and moment is None:
        raise Problem(f"There is no event {until}.")
    chosen = _in_order([seen for seen in found if _is_before(seen, until, moment)])
    if revealer:
        chosen = await revealer.reveal(chosen)
    document: BaseModel | None = None
    for seen in chosen:
        document = view.evolve(document, _envelope(seen))
    return Then(document, len(chosen), chosen[-1] if chosen else None)


def _is_before(seen: Seen, until: datetime | Position | None, moment: datetime | None) -> bool:
    if isinstance(until, Position) and (seen.service, seen.partition) == (until.service, until.shard):
        return seen.sequence <= until.sequence
    return moment is None or seen.time <= moment


def _in_order(events: Sequence[Seen]) -> list[Seen]:
    """By time; those of a shard in any case by their sequence."""
    shards: dict[tuple[str, int], list[Seen]] = defaultdict(list)
    for seen in events:
        shards[seen.service, seen.partition].append(seen)
    parts = [sorted(shard, key=lambda seen: seen.sequence) for shard in shards.values()]
    return list(heapq.merge(*parts, key=lambda seen: seen.time))


def _envelope(seen: Seen) -> Envelope:
    """An event with its personal values sealed, but for those that were revealed in its data."""
    assert seen.record is not None  # noqa: S101 only events come here
    try:
        event = decode(seen.record.type, seen.record.data)
        opened = {
            field: type_.validate_python(value)
            for field, type_ in event.personal_fields.items()
            if as_box(value := (seen.data or {}).get(field)) is None and not _is_erased(value)
        }
        return Envelope(seen.record, newest(event.model_copy(update=opened)))
    except ValueError as error:
        raise Problem(f"{seen.place} cannot be read by this version of Portico: {error}") from error


def _is_erased(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"erased"}
