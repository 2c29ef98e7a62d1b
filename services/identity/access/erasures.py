"""Erased persons: a portal user goes with his own key and with that of his contact; a member of staff is shut out.

Erasing a user does not erase his contact: other people may be users of it, and its contracts are kept by law.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from contracts.base import Event
from contracts.envelope import Envelope, Metadata
from contracts.identity import PersonErased, UserAssigned
from services.identity.access import registry
from services.identity.persons.decider import PERSONS, ErasePerson
from services.identity.staff.decider import STAFF, BlockStaff
from services.identity.subjects import CONTACT, USER, id_of, user_subject
from services.identity.subjects import STAFF as STAFF_SUBJECT
from services.identity.users.decider import USERS, Delete

REASON_CONTACT = "the contact was erased"


class FollowErasures:
    """Carries out what follows from an erasure; also where a user was assigned at the very moment of it."""

    name = "access:erasures"
    events: tuple[type[Event], ...] = (PersonErased, UserAssigned)
    durable = True

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        commands: list[Do[Any, Any]] = []
        for envelope in envelopes:
            commands += await self._commands(connection, envelope.event, caused_by(envelope))
        events: list[Event] = []
        for result in await self._streams.execute_all(commands, connection):
            events += () if isinstance(result, Rejected) else result.events
        await registry.keep(connection, events, self._streams.clock())

    async def _commands(self, connection: Connection, event: Event, metadata: Metadata) -> list[Do[Any, Any]]:
        match event:
            case PersonErased(person=person) if person.startswith(USER):
                return [Do(USERS, id_of(person), Delete(id_of(person)), metadata)]
            case PersonErased(person=person) if person.startswith(STAFF_SUBJECT):
                await connection.execute("DELETE FROM staff WHERE staff_id = %s", (id_of(person),))
                await registry.forget(connection, person)
                return [Do(STAFF, id_of(person), BlockStaff(id_of(person)), metadata)]
            case PersonErased(person=person) if person.startswith(CONTACT):
                users = await registry.users_of(connection, id_of(person))
                return [_erase(user_id, metadata) for user_id in users]
            case UserAssigned(user_id=user_id, contact_id=contact_id):
                erased = (await self._streams.load(PERSONS, CONTACT + contact_id)).state.erased
                return [_erase(user_id, metadata)] if erased else []
            case _:
                return []


def _erase(user_id: str, metadata: Metadata) -> Do[Any, Any]:
    person = user_subject(user_id)
    return Do(PERSONS, person, ErasePerson(person, REASON_CONTACT), metadata)
