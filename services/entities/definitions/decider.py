"""Publishing a schema: the same again says nothing new, and what would break existing records is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


class BreaksRecords(Rejected):
    """A schema that existing records would not fit any more."""

    def __init__(self, changes: Sequence[Change]) -> None:
        super().__init__("schema_breaks_records")
        self.changes = changes


def decide(command: PublishSchema, state: State) -> Sequence[Event]:
    version, before = (state.version, state.schema) if isinstance(state, Published) else (0, command.packaged)
    if version and before == command.schema:
        return []
    if before is not None:
        breaking = [change for change in breaking_changes(before, command.schema) if change in command.broken]
        if breaking:
            raise BreaksRecords(breaking)
    return [
        SchemaPublished(entity=command.schema.entity, schema_version=version + 1, definition=dict(command.document))
    ]


SCHEMA: Decider[PublishSchema, State] = Decider("schema", Packaged(), decide, evolve)
