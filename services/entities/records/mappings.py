"""What becomes of a submission's answers in records: pure, given the schemas and what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.decider import Do
from contracts.base import known
from contracts.ids import stream
from contracts.journeys import JourneySubmitted, MapEffect, RecordRef
from services.entities.access import Owner
from services.entities.records.decider import UNKNOWN_ENTITIES, ApplyMapping, RefuseMapping, decider_of
from services.entities.schema import Schema

Schemas = Mapping[str, Schema]
Relations = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is there besides the records that are written: relations of contexts, and which streams have a record."""

    contexts: Mapping[str, Relations] = field(default_factory=dict)
    existing: frozenset[str] = frozenset()


def map_effects(submitted: JourneySubmitted) -> list[tuple[int, MapEffect]]:
    """The effects that write records, with their numbers."""
    return [(number, effect) for number, effect in enumerate(submitted.effects) if isinstance(effect, MapEffect)]


def entities_of(submitted: JourneySubmitted) -> set[str]:
    """The entities whose schemas a submission needs."""
    return {effect.record.entity for _, effect in map_effects(submitted)}


def context_of(submitted: JourneySubmitted) -> str | None:
    """The stream of the record that it was begun from."""
    return stream(submitted.context.entity, submitted.context.id) if submitted.context else None


def related_to(submitted: JourneySubmitted, schemas: Schemas) -> Iterator[tuple[str, str]]:
    """The relations of its new records, each with the stream of a record that it leads to."""
    for _, effect in map_effects(submitted):
        schema = schemas.get(effect.record.entity)
        for name, ids in effect.relations.items() if schema else ():
            if schema and name in schema.relations:
                for id_ in ids:
                    yield name, stream(schema.relations[name].to, id_)


def apply(
    submitted: JourneySubmitted, schemas: Schemas, around: Surroundings, *, acting: bool = False
) -> list[Do[Any, Any]]:
    """One command for each effect that writes a record: each is answered."""
    commands: list[Do[Any, Any]] = []
    made: set[str] = set()
    mapped = known(submitted.mapped)
    for number, effect in map_effects(submitted):
        schema, record = schemas.get(effect.record.entity), effect.record
        if schema is None:
            refuse = RefuseMapping(submitted.submission_id, number, record.entity, record.id)
            commands.append(Do(UNKNOWN_ENTITIES, submitted.submission_id, refuse))
            continue
        values = (mapped or {}).get(str(number), {})
        command = ApplyMapping(
            submission_id=submitted.submission_id,
            effect=number,
            id=record.id,
            values={name: values.get(name) for name in effect.attributes},
            create=effect.create,
            relations=effect.relations,
            owner=None if effect.create or _touchable(submitted, record, around) else Owner(submitted.contact_id),
            missing=_missing(effect, schema, around.existing | made),
            erased=mapped is None and bool(effect.attributes),
            acting=acting,
        )
        commands.append(Do(decider_of(schema), record.id, command))
        if effect.create:
            made.add(stream(record.entity, record.id))
    return commands


def _touchable(submitted: JourneySubmitted, record: RecordRef, around: Surroundings) -> bool:
    """The record that it was begun from, or one that this leads to: the journey says so, and was allowed to begin."""
    context = context_of(submitted)
    if context is None:
        return False
    related = {id_ for ids in around.contexts.get(context, {}).values() for id_ in ids}
    return record == submitted.context or record.id in related


def _missing(effect: MapEffect, schema: Schema, existing: frozenset[str]) -> str | None:
    for name, ids in effect.relations.items():
        if name in schema.relations and any(stream(schema.relations[name].to, id_) not in existing for id_ in ids):
            return name
    return None
