"""Other services' events in: erased persons are forgotten; submissions, automations and billing write records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from psycopg import sql

from chassis.decider import Do
from chassis.errors import Rejected
from chassis.keyring import PostgresKeyring
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from chassis.views import ViewHandler
from contracts.base import Event, known
from contracts.billing import CancellationRequested, CancellationWithdrawn, ContractTerminated
from contracts.common import Json
from contracts.envelope import Envelope
from contracts.identity import ContactWanted, PersonErased
from contracts.journeys import JourneySubmitted
from contracts.processes import ActionRequested
from services.entities import current
from services.entities.access import CONTACT
from services.entities.records import mappings
from services.entities.records.decider import ChangeRecord, MakeContact, decider_of
from services.entities.records.mappings import Surroundings
from services.entities.records.views import RECORDS, Records, StoredRecord
from services.entities.records.writer import existing
from services.entities.schema import Schema

log = structlog.get_logger()

CONTRACT = "contract"
BILLING = "billing"
STAFF = "staff/"
Schemas = mappings.Schemas

FORGET = sql.SQL(
    """UPDATE {} SET doc = doc || '{{"personal": {{}}, "personal_words": "", "erased": true}}'::jsonb """
    "WHERE doc->>'person' = ANY(%s)"
)


class RecordsHandler(ViewHandler[StoredRecord]):
    """The view of records, which also blanks all records of an erased person: his own and, say, his contracts.

    A fold reaches one document by an event's key; this reaches several. Both are one consumer, which takes one batch
    after the other, so that nothing opened before the erasure is folded after it.
    """

    def __init__(self, keyring: PostgresKeyring) -> None:
        super().__init__(RECORDS)
        self.events = (*RECORDS.events, PersonErased)
        self._keyring = keyring

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await super().apply(connection, [each for each in envelopes if not isinstance(each.event, PersonErased)])
        erased = [each.event.person for each in envelopes if isinstance(each.event, PersonErased)]
        if erased:
            for person in erased:
                self._keyring.forget(person)
            await connection.execute(FORGET.format(sql.Identifier(self.table)), (erased,))


def react(envelope: Envelope, schemas: Schemas, around: Surroundings) -> list[Do[Any, Any]]:
    """What follows in records from an event of another service."""
    match envelope.event:
        case JourneySubmitted() as submitted:
            return mappings.apply(submitted, schemas, around, acting=_acting(submitted, envelope.metadata.actor))
        case CancellationRequested() | CancellationWithdrawn() | ContractTerminated() as event:
            return _mirror(event, schemas)
        case ActionRequested(kind="set") as event if event.record.entity in schemas:
            values = event.parameters.get("set")
            change = ChangeRecord(event.record.id, values if isinstance(values, dict) else {})
            return [Do(decider_of(schemas[event.record.entity]), event.record.id, change)]
        case ContactWanted() as event if CONTACT in schemas:
            return _new_contact(event, schemas[CONTACT])
    return []


def _acting(submitted: JourneySubmitted, actor: str | None) -> bool:
    """Whether a member of staff sent it as the user."""
    return submitted.user_id is not None and actor is not None and actor.startswith(STAFF)


def _mirror(
    event: CancellationRequested | CancellationWithdrawn | ContractTerminated, schemas: Schemas
) -> list[Do[Any, Any]]:
    """Billing decides on a contract's status and end; a schema may do without them."""
    values: dict[str, Json]
    match event:
        case CancellationRequested():
            values = {"status": "in_cancellation", "ends_on": event.ends_on.isoformat()}
        case CancellationWithdrawn():
            values = {"status": "active", "ends_on": None}
        case _:
            values = {"status": "terminated", "ends_on": event.ends_on.isoformat()}
    schema = schemas.get(CONTRACT)
    if schema is None:
        return []
    shown = {name: value for name, value in values.items() if name in schema.attributes}
    return [Do(decider_of(schema), event.contract_id, ChangeRecord(event.contract_id, shown, decided_by=BILLING))]


def _new_contact(event: ContactWanted, schema: Schema) -> list[Do[Any, Any]]:
    values = known(event.values)
    named = None if values is None else {**values, schema.external_id: event.customer_number}
    make = MakeContact(event.user_id, event.portal_id, event.contact_id, named)
    return [Do(decider_of(schema), event.contact_id, make)]


class RecordReactions:
    """Carries out what other services' events ask for, with the schemas as they are now."""

    name = "reaction:records"
    events: tuple[type[Event], ...] = (
        JourneySubmitted,
        ActionRequested,
        ContactWanted,
        CancellationRequested,
        CancellationWithdrawn,
        ContractTerminated,
    )
    durable = True

    def __init__(self, streams: Streams, schemas: current.Schemas, records: Records) -> None:
        self._streams = streams
        self._schemas = schemas
        self._records = records

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: it keeps no table."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        found = await self._schemas.find_all(_entities(envelopes))
        schemas = {entity: definition.schema for entity, definition in found.items()}
        around = await self._surroundings(envelopes, schemas)
        commands = [
            replace(do, metadata=caused_by(envelope))
            for envelope in envelopes
            for do in react(envelope, schemas, around)
        ]
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("reaction refused", reaction=self.name, stream=do.stream, reason=str(result))

    async def _surroundings(self, envelopes: Sequence[Envelope], schemas: Schemas) -> Surroundings:
        submitted = [each.event for each in envelopes if isinstance(each.event, JourneySubmitted)]
        names = {name for each in submitted if mappings.map_effects(each) and (name := mappings.context_of(each))}
        contexts = await self._records.get_many(sorted(names)) if names else {}
        related = {name for each in submitted for _, name in mappings.related_to(each, schemas)}
        there = await existing(self._streams.log, related)
        return Surroundings({name: each.relations for name, each in contexts.items()}, frozenset(there))


def _entities(envelopes: Sequence[Envelope]) -> set[str]:
    wanted: set[str] = set()
    for envelope in envelopes:
        match envelope.event:
            case JourneySubmitted() as submitted:
                wanted |= mappings.entities_of(submitted)
            case ActionRequested() as event:
                wanted.add(event.record.entity)
            case ContactWanted():
                wanted.add(CONTACT)
            case _:
                wanted.add(CONTRACT)
    return wanted
