"""Rows become commands: relations are resolved to ids, records that must exist are looked for, then all is decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Conflict, Rejected
from chassis.log import EventLog
from chassis.streams import Outcome, Request, Streams
from contracts.base import Event
from contracts.entities import EntityCreated, EntityDeleted
from contracts.envelope import Metadata
from contracts.envelope import Record as StoredEvent
from contracts.ids import record_id, stream
from services.entities.records.decider import PutRecord, decider_of
from services.entities.rows import Effect, Row, Written
from services.entities.schema import Schema

ATTEMPTS = 5


async def write_rows(
    pool: Pool, streams: Streams, schema: Schema, rows: Sequence[Row], metadata: Metadata
) -> list[Written | Rejected]:
    """Takes over rows in one transaction; no two of them may be of one record. Raises Conflict after `ATTEMPTS`."""
    checked = await _commands(streams.log, schema, rows)
    decider = decider_of(schema)
    accepted = [command for command in checked if isinstance(command, PutRecord)]
    commands = [Do(decider, command.id, command, metadata) for command in accepted]
    outcomes = dict(zip((do.id for do in commands), await _execute_all(pool, streams, commands), strict=True))
    return [
        command if isinstance(command, Rejected) else _written(command.id, outcomes[command.id]) for command in checked
    ]


async def write_row(streams: Streams, schema: Schema, row: Row, request: Request) -> tuple[Outcome, Written]:
    """Takes over one row; raises Rejected when it is refused, and what Streams.execute raises."""
    (command,) = await _commands(streams.log, schema, [row])
    if isinstance(command, Rejected):
        raise command
    outcome = await streams.execute(decider_of(schema), command.id, command, request)
    return outcome, Written(command.id, effect_of(outcome.events), outcome.position)


def effect_of(events: Sequence[Event]) -> Effect:
    """What a put brought about."""
    if any(isinstance(event, EntityCreated) for event in events):
        return "created"
    return "updated" if events else "unchanged"


async def _execute_all(pool: Pool, streams: Streams, commands: Sequence[Do[Any, Any]]) -> list[Outcome | Rejected]:
    for _ in range(ATTEMPTS - 1):
        with suppress(Conflict):
            return await _execute_once(pool, streams, commands)
    return await _execute_once(pool, streams, commands)


async def _execute_once(pool: Pool, streams: Streams, commands: Sequence[Do[Any, Any]]) -> list[Outcome | Rejected]:
    async with pool.connection() as connection, connection.transaction():
        return await streams.execute_all(commands, connection)


def _written(id_: str, outcome: Outcome | Rejected) -> Written | Rejected:
    if isinstance(outcome, Rejected):
        return outcome
    return Written(id_, effect_of(outcome.events), outcome.position)


async def _commands(log: EventLog, schema: Schema, rows: Sequence[Row]) -> list[PutRecord | Rejected]:
    there = await existing(log, _related(schema, rows))
    return [_command(schema, row, there) for row in rows]


def _related(schema: Schema, rows: Iterable[Row]) -> set[str]:
    return {
        stream(schema.relations[name].to, record_id(schema.relations[name].to, external_id))
        for row in rows
        for name, external_ids in row.references.items()
        for external_id in external_ids
    }


async def existing(log: EventLog, names: set[str]) -> set[str]:
    """The streams whose record exists now, also when it was created a moment ago. Nothing is decrypted for it."""
    loaded = await log.load(sorted(names)) if names else {}
    return {name for name, history in loaded.items() if has_record(history)}


def has_record(history: Sequence[StoredEvent]) -> bool:
    """Whether a record is there after these events; a refused mapping alone makes none."""
    for event in reversed(history):
        if event.type in {EntityCreated.type, EntityDeleted.type}:
            return event.type == EntityCreated.type
    return False


def _command(schema: Schema, row: Row, existing: set[str]) -> PutRecord | Rejected:
    relations: dict[str, tuple[str, ...]] = {}
    for name, external_ids in row.references.items():
        to = schema.relations[name].to
        ids = tuple(record_id(to, external_id) for external_id in external_ids)
        for id_, external_id in zip(ids, external_ids, strict=True):
            if stream(to, id_) not in existing:
                return Rejected(f"unknown_{name}", attribute=name, external_id=external_id)
        relations[name] = ids
    return PutRecord(record_id(schema.entity, row.external_id), row.external_id, row.values, relations)
