"""Making a contact of somebody whom nobody knew: what he told at his registration becomes attributes.

Entities makes the record or refuses it; only then the user is assigned, or staff are told why not.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import structlog

from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from contracts.base import Event
from contracts.common import Json
from contracts.entities import ContactMade, ContactRefused
from contracts.envelope import Envelope
from contracts.ids import Position, record_id
from services.identity.access import registry
from services.identity.access.desk import UserDesk
from services.identity.contacts.views import CONTACT, EMAIL, find_contact
from services.identity.portals.views import Labels
from services.identity.users.decider import USERS, CreateContact, GiveUpContact, TakeContact
from services.identity.users.state import Refusal, User

NUMBER_PREFIX, NUMBER_DIGITS = "P-", 8
"""Numbers that an ERP gives do not begin so; it can give its own later."""
ATTEMPTS = 5
ANSWER_SECONDS = 3.0
POLL_SECONDS = 0.05

log = structlog.get_logger()


async def new_contact(
    desk: UserDesk, labels: Labels, user_id: str, customer_number: str | None, values: dict[str, Json]
) -> CreateContact:
    """The command that makes a contact. Raises Rejected for an attribute that contacts do not have."""
    user = await desk.load(user_id)
    known = await labels.get(CONTACT)
    if known is not None:
        for name in values:
            if name not in known.labels:
                raise Rejected("invalid_attribute", attribute=name[:100])
    number = customer_number or await _free_number(desk)
    contact_id = record_id(CONTACT, number)
    if await find_contact(desk.records, contact_id) is not None:
        raise Rejected("contact_exists", customer_number=number)
    told = {name: value for name, value in from_registration(user).items() if known is None or name in known.labels}
    return CreateContact(user_id, contact_id, number, {**told, **values})


async def assigned_at(desk: UserDesk, command: CreateContact) -> Position | None:
    """Where the user was assigned to his new contact; None when that is not known in time.

    Raises Rejected when the contact cannot be made.
    """
    deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        loaded = await desk.streams.load(USERS, command.user_id)
        match loaded.state:
            case User(contact_id=command.contact_id):
                return loaded.position
            case User(refusal=Refusal(contact_id=command.contact_id, code=code, attribute=attribute)):
                raise refused(code, attribute, command.customer_number)
        await asyncio.sleep(POLL_SECONDS)
    return None


def refused(code: str, attribute: str | None, customer_number: str) -> Rejected:
    """What staff are told when entities does not take a contact."""
    if code == "contact_exists":
        return Rejected(code, customer_number=customer_number)
    return Rejected("invalid_contact_value" if attribute else "invalid_contact", attribute=attribute, reason=code)


class ContactAnswers:
    """Assigns users to the contacts that were made of them, and keeps why one could not be made."""

    name = "access:contacts"
    events: tuple[type[Event], ...] = (ContactMade, ContactRefused)
    durable = True

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        commands = [_told(envelope) for envelope in envelopes]
        events: list[Event] = []
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("answer of entities refused", stream=do.stream, reason=str(result))
            else:
                events += result.events
        await registry.keep(connection, events, self._streams.clock())


def _told(envelope: Envelope) -> Do[Any, Any]:
    event = envelope.event
    if isinstance(event, ContactMade):
        return Do(USERS, event.user_id, TakeContact(event.user_id, event.contact_id), caused_by(envelope))
    assert isinstance(event, ContactRefused)  # noqa: S101 the only other one it is given
    give_up = GiveUpContact(event.user_id, event.contact_id, event.code, event.attribute)
    return Do(USERS, event.user_id, give_up, caused_by(envelope))


def from_registration(user: User) -> dict[str, Json]:
    """What a registration says about a contact; the last word of a name is the last name."""
    first, _, last = (user.name or "").strip().rpartition(" ")
    given: dict[str, Json] = {
        EMAIL: user.email,
        "first_name": first,
        "last_name": last or user.email,
        "language": user.language,
    }
    return {name: value for name, value in given.items() if value}


async def _free_number(desk: UserDesk) -> str:
    for _ in range(ATTEMPTS):
        number = f"{NUMBER_PREFIX}{secrets.randbelow(10**NUMBER_DIGITS):0{NUMBER_DIGITS}d}"
        if await find_contact(desk.records, record_id(CONTACT, number)) is None:
            return number
    raise Rejected("contact_exists", customer_number=number)
