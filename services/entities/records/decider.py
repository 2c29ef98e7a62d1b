"""Putting and deleting records: what a row says becomes the events that are needed, or none, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from services.entities.records.state import NoRecord, Record, State, evolve
from services.entities.schema import Schema
from services.entities.values import parse

Values = dict[str, Json]
Relations = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PutRecord:
    """What a record is from now on. What is not named stays; an empty value removes what was there.

    `values` are raw; `relations` lead to ids. `decided_by` is the service that speaks: an attribute which a service
    decides is taken from others only when the record is new.
    """

    id: str
    external_id: str
    values: Mapping[str, object]
    relations: Relations
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    id: str


Command = PutRecord | DeleteRecord


def decider_of(schema: Schema) -> Decider[Command, State]:
    """The rules for the records of a schema; their streams are `<entity>/<id>`."""
    return Decider(schema.entity, NoRecord(), partial(decide, schema), evolve)


def decide(schema: Schema, command: Command, state: State) -> Sequence[Event]:
    match command:
        case PutRecord():
            values = _parsed(schema, command)
            if isinstance(state, NoRecord):
                return _created(schema, command, values)
            return _changed(schema, command, values, state)
        case DeleteRecord():
            if isinstance(state, NoRecord):
                raise NotFound("record_not_found", entity=schema.entity)
            return [EntityDeleted(entity=schema.entity, id=command.id, person=state.person)]
        case _:
            assert_never(command)


def _parsed(schema: Schema, command: PutRecord) -> Values:
    for name in command.values:
        if name not in schema.attributes:
            raise Rejected("invalid_attribute", attribute=name[:100], entity=schema.entity)
    values = {name: parse(name, schema.attributes[name], raw) for name, raw in command.values.items()}
    identifying = schema.external_id
    external_id = parse(identifying, schema.attributes[identifying], command.external_id)
    if external_id is None or external_id != values.get(identifying, external_id):
        raise Rejected("invalid_external_id", attribute=identifying)
    for name, to in command.relations.items():
        if name not in schema.relations:
            raise Rejected("invalid_attribute", attribute=name[:100], entity=schema.entity)
        if len(to) > 1 and not schema.relations[name].many:
            raise Rejected("invalid_reference", attribute=name)
    return values | {identifying: external_id}


def _created(schema: Schema, command: PutRecord, given: Values) -> Sequence[Event]:
    values: Values = {name: value for name, value in given.items() if value is not None}
    relations = {name: to for name, to in command.relations.items() if to}
    required = [name for name, column in schema.columns.items() if column.required]
    _refuse_missing(name for name in required if name not in values and name not in relations)
    plain, personal = _split(schema, values)
    return [
        EntityCreated(
            entity=schema.entity,
            id=command.id,
            external_id=command.external_id,
            person=schema.person_of(command.id, relations),
            attributes=plain,
            personal=personal,
            relations=relations,
        )
    ]


def _changed(schema: Schema, command: PutRecord, given: Values, record: Record) -> Sequence[Event]:
    _refuse_missing(name for name, value in given.items() if value is None and schema.attributes[name].required)
    _refuse_missing(name for name, to in command.relations.items() if not to and schema.relations[name].required)
    related = {name: to for name, to in command.relations.items() if record.relations.get(name, ()) != to}
    person = schema.person_of(command.id, {**record.relations, **related})
    plain, personal = _split(schema, _taken(schema, command, given))
    if person != record.person:
        personal = {name: value for name, value in {**record.personal, **personal}.items() if value is not None}
    elif record.erased:
        personal = {}
    else:
        personal = _differing(personal, record.personal)
    plain = _differing(plain, record.attributes)
    events: list[Event] = [
        EntityRelated(entity=schema.entity, id=command.id, relation=name, to=to) for name, to in related.items()
    ]
    if plain or personal or person != record.person:
        events.append(
            EntityChanged(
                entity=schema.entity,
                id=command.id,
                external_id=record.external_id,
                person=person,
                attributes=plain,
                personal=personal,
            )
        )
    return events


def _taken(schema: Schema, command: PutRecord, given: Values) -> Values:
    deciders = {name: schema.attributes[name].decided_by for name in given}
    return {name: value for name, value in given.items() if deciders[name] in {None, command.decided_by}}


def _differing(values: Values, before: Mapping[str, Json]) -> Values:
    return {name: value for name, value in values.items() if before.get(name) != value}


def _split(schema: Schema, values: Values) -> tuple[Values, Values]:
    """Plain and personal values."""
    personal = {name: value for name, value in values.items() if schema.is_personal(name)}
    return {name: value for name, value in values.items() if name not in personal}, personal


def _refuse_missing(names: Iterable[str]) -> None:
    for name in names:
        raise Rejected("invalid_missing", attribute=name)
