"""What the rules need to know of a record, folded from its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from contracts.base import Event, Sealed, known
from contracts.common import Json
from contracts.entities import (
    EntityChanged,
    EntityCreated,
    EntityDeleted,
    EntityRelated,
    MappingApplied,
    MappingRefused,
)


@dataclass(frozen=True, slots=True)
class NoRecord:
    """Never created, or deleted. `mappings` are effects of submissions that were answered."""

    mappings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """A record. `erased`: its personal values cannot be read any more, because their person was erased."""

    external_id: str | None
    person: str | None
    attributes: Mapping[str, Json]
    personal: Mapping[str, Json]
    erased: bool
    relations: Mapping[str, tuple[str, ...]]
    mappings: frozenset[str] = frozenset()


State = NoRecord | Record


def evolve(state: State, event: Event) -> State:
    match state, event:
        case NoRecord(), EntityCreated():
            return Record(
                external_id=event.external_id,
                person=event.person,
                attributes=event.attributes,
                personal=known(event.personal) or {},
                erased=isinstance(event.personal, Sealed),
                relations=event.relations,
                mappings=state.mappings,
            )
        case _, MappingApplied() | MappingRefused():
            return replace(state, mappings=state.mappings | {mapping_key(event.submission_id, event.effect)})
        case Record(), EntityChanged():
            return _changed(state, event)
        case Record(), EntityRelated():
            return replace(state, relations={**state.relations, event.relation: event.to})
        case Record(), EntityDeleted():
            return NoRecord(state.mappings)
        case _:
            return state


def mapping_key(submission_id: str, effect: int) -> str:
    """How an effect of a submission is called among others."""
    return f"{submission_id}/{effect}"


def _changed(record: Record, event: EntityChanged) -> Record:
    """With another person come all personal values anew, sealed with that person's key."""
    same_person = event.person == record.person
    before = record.personal if same_person else {}
    return replace(
        record,
        person=event.person,
        attributes=merged(record.attributes, event.attributes),
        personal=merged(before, known(event.personal) or {}),
        erased=isinstance(event.personal, Sealed) or (record.erased and same_person),
    )


def merged(before: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """The values after a change; a null removes one."""
    return {name: value for name, value in {**before, **changes}.items() if value is not None}
