"""What the rules need to know of an entity: the schema published last."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.entities import SchemaPublished
from services.entities.schema import Schema


@dataclass(frozen=True, slots=True)
class Packaged:
    """Nothing is published yet: the schema that comes with Portico counts, where there is one."""


@dataclass(frozen=True, slots=True)
class Published:
    """The schema in force."""

    version: int
    schema: Schema
    packaged: bool = False
    """It came with Portico: a newer Portico may bring a newer one."""


State = Packaged | Published


def evolve(state: State, event: Event) -> State:
    if isinstance(event, SchemaPublished):
        return Published(event.schema_version, Schema.model_validate(event.definition), event.packaged)
    return state
