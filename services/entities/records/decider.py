"""Records put, changed, mapped and deleted: what is said becomes the events that are needed, or none, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.common import Json
from contracts.entities import (
    ContactMade,
    ContactRefused,
    EntityChanged,
    EntityCreated,
    EntityDeleted,
    EntityRelated,
    MappingApplied,
    MappingRefused,
)
from contracts.ids import record_id
from services.entities.access import Access, Owner
from services.entities.records.state import NoRecord, Record, State, evolve, mapping_key
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
class ChangeRecord:
    """Other values for a record that exists. With `access` it must be the user's, and permitted.

    What a service decides is refused when it comes from somebody else. `acting`: a member of staff acts as the user,
    and leaves e-mail addresses alone.
    """

    id: str
    values: Mapping[str, object]
    relations: Relations = field(default_factory=dict)
    decided_by: str | None = None
    access: Access | None = None
    acting: bool = False


@dataclass(frozen=True, slots=True)
class ApplyMapping:
    """Values out of a submission, answered in any case. With `owner` the record must be his.

    `missing` is a relation of the new record that leads to nothing; `erased`: the values cannot be read any more;
    `acting`: as in ChangeRecord.
    """

    submission_id: str
    effect: int
    id: str
    values: Mapping[str, object]
    create: bool = False
    relations: Relations = field(default_factory=dict)
    owner: Owner | None = None
    missing: str | None = None
    erased: bool = False
    acting: bool = False


@dataclass(frozen=True, slots=True)
class MakeContact:
    """The contact that identity wants for a portal user, answered in any case.

    `values` are None when they cannot be read any more.
    """

    user_id: str
    portal_id: str
    id: str
    values: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    id: str


Command = PutRecord | ChangeRecord | ApplyMapping | MakeContact | DeleteRecord


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a record is to be, with values of their types."""

    id: str
    values: Values
    relations: Relations
    decided_by: str | None = None
    acting: bool = False


def decider_of(schema: Schema) -> Decider[Command, State]:
    """The rules for the records of a schema; their streams are `<entity>/<id>`."""
    return Decider(schema.entity, NoRecord(), partial(decide, schema), evolve)


def decide(schema: Schema, command: Command, state: State) -> Sequence[Event]:
    match command:
        case PutRecord():
            wanted = _put(schema, command)
            if isinstance(state, NoRecord):
                return _created(schema, wanted, command.external_id)
            return _changed(schema, wanted, state)
        case ChangeRecord():
            return _change(schema, command, state)
        case ApplyMapping():
            return _mapped(schema, command, state)
        case MakeContact():
            return _made(schema, command, state)
        case DeleteRecord():
            if isinstance(state, NoRecord):
                raise NotFound("record_not_found", entity=schema.entity)
            return [EntityDeleted(entity=schema.entity, id=command.id, person=state.person)]
        case _:
            assert_never(command)


def _put(schema: Schema, command: PutRecord) -> _Wanted:
    values = _parsed(schema, command.values, command.relations)
    identifying = schema.external_id
    external_id = parse(identifying, schema.attributes[identifying], command.external_id)
    if external_id is None or external_id != values.get(identifying, external_id):
        raise Rejected("invalid_external_id", attribute=identifying)
    return _Wanted(command.id, values | {identifying: external_id}, command.relations, command.decided_by)


def _change(schema: Schema, command: ChangeRecord, state: State) -> Sequence[Event]:
    access = command.access
    if isinstance(state, NoRecord) or (access and not access.owner.owns(schema, command.id, state.relations)):
        raise NotFound("record_not_found", entity=schema.entity)
    for name in (*command.values, *command.relations):
        _refuse_unknown(schema, name)
        if access and (name not in access.change or _decider_of(schema, name)):
            raise Rejected("not_permitted", attribute=name)
    return _changed(schema, _others_decide_not(schema, command, state), state)


def _others_decide_not(schema: Schema, command: ChangeRecord, record: Record) -> _Wanted:
    """The parsed command; refused where it names what another service decides, or the record's own name."""
    values = _parsed(schema, command.values, command.relations)
    for name, value in values.items():
        decider = _decider_of(schema, name)
        if decider not in {None, command.decided_by}:
            raise Rejected("decided_elsewhere", attribute=name, service=decider)
        if name == schema.external_id and value != record.attributes.get(name):
            raise Rejected("invalid_external_id", attribute=name)
    return _Wanted(command.id, values, command.relations, command.decided_by, command.acting)


def _mapped(schema: Schema, command: ApplyMapping, state: State) -> Sequence[Event]:
    """The same mapping again says nothing new."""
    answer = {
        "submission_id": command.submission_id,
        "effect": command.effect,
        "entity": schema.entity,
        "id": command.id,
    }
    if mapping_key(command.submission_id, command.effect) in state.mappings:
        return []
    try:
        events = _mapping(schema, command, state)
    except Rejected as rejected:
        return [MappingRefused.model_validate({**answer, **_reason(rejected)})]
    return [*events, MappingApplied.model_validate(answer)]


def _reason(rejected: Rejected) -> dict[str, str | None]:
    """Code and attribute of a refusal, as answers to other services have them."""
    attribute = rejected.facts.get("attribute")
    return {"code": rejected.code, "attribute": attribute if isinstance(attribute, str) else None}


def _made(schema: Schema, command: MakeContact, state: State) -> Sequence[Event]:
    answer = {"user_id": command.user_id, "portal_id": command.portal_id, "contact_id": command.id}
    try:
        if isinstance(state, Record):
            raise Rejected("contact_exists")
        if command.values is None:
            raise Rejected("person_erased")
        events = _new(schema, command.id, command.values, {})
    except Rejected as rejected:
        return [ContactRefused.model_validate({**answer, **_reason(rejected)})]
    return [*events, ContactMade.model_validate(answer)]


def _mapping(schema: Schema, command: ApplyMapping, state: State) -> Sequence[Event]:
    if command.erased:
        raise Rejected("person_erased")
    if command.missing:
        raise Rejected("invalid_reference", attribute=command.missing)
    if command.create:
        if isinstance(state, Record):
            raise Rejected("record_exists")
        return _new(schema, command.id, command.values, command.relations)
    if isinstance(state, NoRecord) or (command.owner and not command.owner.owns(schema, command.id, state.relations)):
        raise NotFound("record_not_found", entity=schema.entity)
    change = ChangeRecord(command.id, command.values, acting=command.acting)
    return _changed(schema, _others_decide_not(schema, change, state), state)


def _new(schema: Schema, id_: str, raw: Mapping[str, object], relations: Relations) -> Sequence[Event]:
    """A record may be named from the start, if its id is the one that follows from that name."""
    wanted = _Wanted(id_, _parsed(schema, raw, relations), relations)
    external_id = wanted.values.get(schema.external_id)
    if isinstance(external_id, str) and id_ != record_id(schema.entity, external_id):
        raise Rejected("invalid_record_id", attribute=schema.external_id)
    return _created(schema, wanted, external_id if isinstance(external_id, str) else None)


def _parsed(schema: Schema, raw: Mapping[str, object], relations: Relations) -> Values:
    for name in raw:
        if name not in schema.attributes:
            raise Rejected("invalid_attribute", attribute=name[:100], entity=schema.entity)
    values = {name: parse(name, schema.attributes[name], value) for name, value in raw.items()}
    for name, to in relations.items():
        if name not in schema.relations:
            raise Rejected("invalid_attribute", attribute=name[:100], entity=schema.entity)
        if len(to) > 1 and not schema.relations[name].many:
            raise Rejected("invalid_reference", attribute=name)
    return values


def _created(schema: Schema, wanted: _Wanted, external_id: str | None) -> Sequence[Event]:
    values: Values = {name: value for name, value in wanted.values.items() if value is not None}
    relations = {name: to for name, to in wanted.relations.items() if to}
    required = [name for name, column in schema.columns.items() if column.required]
    _refuse_missing(name for name in required if name not in values and name not in relations)
    plain, personal = _split(schema, values)
    person = schema.person_of(wanted.id, relations)
    _refuse_nobodys(schema, person, personal)
    return [
        EntityCreated(
            entity=schema.entity,
            id=wanted.id,
            external_id=external_id,
            person=person,
            attributes=plain,
            personal=personal,
            relations=relations,
        )
    ]


def _changed(schema: Schema, wanted: _Wanted, record: Record) -> Sequence[Event]:
    given = wanted.values
    _refuse_missing(name for name, value in given.items() if value is None and schema.attributes[name].required)
    _refuse_missing(name for name, to in wanted.relations.items() if not to and schema.relations[name].required)
    related = {name: to for name, to in wanted.relations.items() if record.relations.get(name, ()) != to}
    person = schema.person_of(wanted.id, {**record.relations, **related})
    plain, personal = _split(schema, _taken(schema, wanted))
    if person != record.person:
        personal = {name: value for name, value in {**record.personal, **personal}.items() if value is not None}
    elif record.erased:
        personal = {}
    else:
        personal = _differing(personal, record.personal)
    _refuse_nobodys(schema, person, personal)
    plain = _differing(plain, record.attributes)
    if wanted.acting:
        _refuse_emails(schema, (*plain, *personal))
    events: list[Event] = [
        EntityRelated(entity=schema.entity, id=wanted.id, relation=name, to=to) for name, to in related.items()
    ]
    if plain or personal or person != record.person:
        events.append(
            EntityChanged(
                entity=schema.entity,
                id=wanted.id,
                external_id=record.external_id,
                person=person,
                attributes=plain,
                personal=personal,
            )
        )
    return events


def _refuse_emails(schema: Schema, names: Iterable[str]) -> None:
    """Whoever reads the mails of an address can become its user."""
    for name in names:
        if schema.attributes[name].type == "email":
            raise Rejected("forbidden_while_acting", attribute=name)


def _taken(schema: Schema, wanted: _Wanted) -> Values:
    """Without what somebody else decides."""
    return {
        name: value for name, value in wanted.values.items() if _decider_of(schema, name) in {None, wanted.decided_by}
    }


def _decider_of(schema: Schema, name: str) -> str | None:
    return schema.attributes[name].decided_by if name in schema.attributes else None


def _refuse_unknown(schema: Schema, name: str) -> None:
    if name not in schema.columns:
        raise Rejected("invalid_attribute", attribute=name[:100], entity=schema.entity)


def _refuse_nobodys(schema: Schema, person: str | None, personal: Values) -> None:
    """What is personal needs a person whose key seals it."""
    if person is None and any(value is not None for value in personal.values()):
        raise Rejected("invalid_missing", attribute=schema.owner)


def _differing(values: Values, before: Mapping[str, Json]) -> Values:
    return {name: value for name, value in values.items() if before.get(name) != value}


def _split(schema: Schema, values: Values) -> tuple[Values, Values]:
    """Plain and personal values."""
    personal = {name: value for name, value in values.items() if schema.is_personal(name)}
    return {name: value for name, value in values.items() if name not in personal}, personal


def _refuse_missing(names: Iterable[str]) -> None:
    for name in names:
        raise Rejected("invalid_missing", attribute=name)


@dataclass(frozen=True, slots=True)
class RefuseMapping:
    """Values for a record of an entity that there is not."""

    submission_id: str
    effect: int
    entity: str
    id: str


def _refuse_mapping(command: RefuseMapping, state: State) -> Sequence[Event]:
    if mapping_key(command.submission_id, command.effect) in state.mappings:
        return []
    return [
        MappingRefused(
            submission_id=command.submission_id,
            effect=command.effect,
            entity=command.entity,
            id=command.id,
            code="entity_unknown",
            attribute=None,
        )
    ]


UNKNOWN_ENTITIES: Decider[RefuseMapping, State] = Decider("mapping", NoRecord(), _refuse_mapping, evolve)
"""Mappings that belong to no record; their streams are `mapping/<submission_id>`."""
