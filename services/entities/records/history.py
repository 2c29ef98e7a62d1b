"""What happened to a record: each of its events with who and why, and what was before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from contracts.base import Sealed, known
from contracts.common import Json
from contracts.entities import (
    EntityChanged,
    EntityCreated,
    EntityDeleted,
    EntityRelated,
    MappingApplied,
    MappingRefused,
)
from contracts.envelope import Envelope
from services.entities.records.state import NoRecord, Record, State, evolve

What = Literal["created", "changed", "related", "deleted", "mapping_applied", "mapping_refused"]


class Difference(BaseModel):
    """A value before and after; null where there was or is none."""

    name: str = Field(description="An attribute or a relation")
    before: Json
    after: Json
    personal: bool = False


class Entry(BaseModel):
    """An event of a record."""

    version: int
    position: str = Field(examples=["entities/2:1234"])
    time: datetime
    what: What
    actor: str | None = Field(description="Who did it; null when it followed from another event")
    acted_as: str | None = Field(description="The portal user as whom a member of staff did it")
    cause: str | None = Field(description="The position of the event that it followed from")
    correlation_id: str | None
    changes: list[Difference]
    erased: bool = Field(description="Personal values were part of it that cannot be read any more")
    submission_id: str | None = Field(default=None, description="Of mappings")
    code: str | None = Field(default=None, description="Why a mapping was refused")
    attribute: str | None = Field(default=None, description="The attribute at which a mapping was refused")


def entries(envelopes: Sequence[Envelope]) -> list[Entry]:
    """The history of a record, the newest first."""
    state: State = NoRecord()
    found: list[Entry] = []
    for envelope in envelopes:
        after = evolve(state, envelope.event)
        found.append(_entry(envelope, state, after))
        state = after
    return found[::-1]


def _entry(envelope: Envelope, before: State, after: State) -> Entry:
    event, metadata = envelope.event, envelope.metadata
    mapped = event if isinstance(event, MappingApplied | MappingRefused) else None
    refused = event if isinstance(event, MappingRefused) else None
    return Entry(
        version=envelope.record.version,
        position=str(envelope.position),
        time=envelope.time,
        what=_what(envelope),
        actor=metadata.actor,
        acted_as=metadata.acted_as,
        cause=metadata.causation_id,
        correlation_id=metadata.correlation_id,
        changes=_differences(before, after, envelope),
        erased=isinstance(event, EntityCreated | EntityChanged) and isinstance(event.personal, Sealed),
        submission_id=mapped.submission_id if mapped else None,
        code=refused.code if refused else None,
        attribute=refused.attribute if refused else None,
    )


def _what(envelope: Envelope) -> What:
    match envelope.event:
        case EntityCreated():
            return "created"
        case EntityRelated():
            return "related"
        case EntityDeleted():
            return "deleted"
        case MappingApplied():
            return "mapping_applied"
        case MappingRefused():
            return "mapping_refused"
    return "changed"


def _differences(before: State, after: State, envelope: Envelope) -> list[Difference]:
    """Of the values that the event names; those sealed for ever have no name any more."""
    was, is_ = _values(before), _values(after)
    named: set[str] = set()
    personal: set[str] = set()
    match envelope.event:
        case EntityCreated() | EntityChanged() as event:
            personal = set(known(event.personal) or {})
            named = {*event.attributes, *personal, *(event.relations if isinstance(event, EntityCreated) else ())}
        case EntityRelated() as event:
            named = {event.relation}
    changed = [name for name in sorted(named) if was.get(name) != is_.get(name)]
    return [
        Difference(name=name, before=was.get(name), after=is_.get(name), personal=name in personal) for name in changed
    ]


def _values(state: State) -> Mapping[str, Json]:
    if not isinstance(state, Record):
        return {}
    relations: dict[str, Json] = {name: list(to) for name, to in state.relations.items()}
    return {**relations, **state.attributes, **state.personal}
