"""Which event makes which message, and the consumer that puts it into the queue exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.log import Connection
from chassis.reactions import caused_by
from contracts.base import Event
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentRefused
from contracts.envelope import Envelope
from contracts.ids import record_id
from contracts.notifications import MessageResendRequested
from services.notifications.messages import queue
from services.notifications.messages.retry import LIFETIME

MAIL = "mail"
NO_VALUES = {"contract_id", "contract_number", "contact_id", "change_id", "portal_id"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that an event calls for. `variables` are the template's own; none of them is personal."""

    template: str
    contact_id: str | None
    contract_id: str
    contract_number: str
    portal_id: str | None
    variables: Mapping[str, Any]


TEMPLATES: Mapping[type[Event], str] = {
    InstalmentChanged: "instalment_requested",
    InstalmentConfirmed: "instalment_confirmed",
    InstalmentRefused: "instalment_refused",
}


def draft(event: Event) -> Draft | None:
    """The message that follows from an event, if any."""
    match event:
        case InstalmentChanged() | InstalmentConfirmed() | InstalmentRefused():
            return Draft(
                template=TEMPLATES[type(event)],
                contact_id=event.contact_id,
                contract_id=event.contract_id,
                contract_number=event.contract_number,
                portal_id=getattr(event, "portal_id", None),
                variables=event.model_dump(mode="json", exclude=NO_VALUES),
            )
        case _:
            return None


def message(envelope: Envelope) -> queue.NewMessage | None:
    """The message of an event as it is queued; the same event always makes the same id."""
    drafted = draft(envelope.event)
    if drafted is None:
        return None
    cause = str(envelope.position)
    return queue.NewMessage(
        id=record_id("message", "/".join((cause, drafted.template, drafted.contact_id or "", MAIL))),
        cause=cause,
        template=drafted.template,
        contact_id=drafted.contact_id,
        channel=MAIL,
        contract_id=drafted.contract_id,
        contract_number=drafted.contract_number,
        portal_id=drafted.portal_id,
        variables=drafted.variables,
        metadata=caused_by(envelope),
        created_at=envelope.time,
        expires_at=envelope.time + LIFETIME,
    )


class MessageHandler:
    """Queues messages, and wakes those that are asked for once more, in the transaction of the checkpoint."""

    def __init__(self) -> None:
        self.name = "reaction:messages"
        self.events: tuple[type[Event], ...] = (*TEMPLATES, MessageResendRequested)
        self.durable = True

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: the table comes from a migration."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await queue.add(connection, [new for envelope in envelopes if (new := message(envelope))])
        for envelope in envelopes:
            if isinstance(envelope.event, MessageResendRequested):
                await queue.wake(connection, envelope.event.message_id, envelope.time, envelope.time + LIFETIME)
