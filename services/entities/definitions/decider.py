"""Publishing a schema: the same again says nothing new, and what would break existing records is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event
from contracts.common import Json
from contracts.entities import SchemaPublished
from services.entities.definitions.changes import Change, breaking_changes
from services.entities.definitions.state import Packaged, Published, State, evolve
from services.entities.schema import Schema


@dataclass(frozen=True, slots=True)
class PublishSchema:
    """A schema is in force from now on. `broken` are the changes for which there are records that they would break."""

    schema: Schema
    document: Mapping[str, Json]
    packaged: Schema | None
    broken: frozenset[Change] = frozenset()


@dataclass(frozen=True, slots=True)
class PublishPackaged:
    """The schema that comes with Portico is in force, and others hear of it, unless somebody has made his own."""

    schema: Schema
    document: Mapping[str, Json]


Command = PublishSchema | PublishPackaged


class BreaksRecords(Rejected):
    """A schema that existing records would not fit any more."""

    def __init__(self, changes: Sequence[Change]) -> None:
        super().__init__("schema_breaks_records")
        self.changes = changes


def decide(command: Command, state: State) -> Sequence[Event]:
    match command:
        case PublishSchema():
            return _publish(command, state)
        case PublishPackaged(schema, document):
            if isinstance(state, Published) and (not state.packaged or state.schema == schema):
                return []
            return [_published(schema, document, state, packaged=True)]
        case _:
            assert_never(command)


def _publish(command: PublishSchema, state: State) -> Sequence[Event]:
    if isinstance(state, Published) and not state.packaged and state.schema == command.schema:
        return []
    before = state.schema if isinstance(state, Published) else command.packaged
    if before is not None:
        breaking = [change for change in breaking_changes(before, command.schema) if change in command.broken]
        if breaking:
            raise BreaksRecords(breaking)
    return [_published(command.schema, command.document, state, packaged=False)]


def _published(schema: Schema, document: Mapping[str, Json], state: State, *, packaged: bool) -> SchemaPublished:
    version = state.version if isinstance(state, Published) else 0
    return SchemaPublished(
        entity=schema.entity, schema_version=version + 1, definition=dict(document), packaged=packaged
    )


SCHEMA: Decider[Command, State] = Decider("schema", Packaged(), decide, evolve)
