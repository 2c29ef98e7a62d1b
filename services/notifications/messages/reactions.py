"""The consumer that puts into the queue, exactly once, what events call for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date

from chassis.log import Connection
from chassis.reactions import caused_by
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.ids import record_id
from contracts.notifications import MessageResendRequested
from services.notifications.messages import queue
from services.notifications.messages.drafts import CONFIRMATION, EVENTS, Draft, drafts
from services.notifications.templates.catalog import mail_of

MAIL = "mail"

StaffOf = Callable[[str], Awaitable[list[str]]]
EndOf = Callable[[str], Awaitable[date | None]]


def message(envelope: Envelope, draft: Draft) -> queue.NewMessage:
    """A mail as it is queued; the same event always makes the same ids."""
    if draft.to == "group":
        raise ValueError("a mail to a group is made for each of its members")
    contact_id = draft.to_id if draft.to == "contact" else None
    cause = str(envelope.position)
    return queue.NewMessage(
        id=_id(cause, draft, contact_id),
        cause=cause,
        template=draft.template,
        contact_id=contact_id,
        recipient_kind=draft.to,
        recipient_id=draft.to_id,
        audience=draft.audience,
        channel=MAIL,
        contract_id=draft.contract_id,
        contract_number=draft.contract_number,
        portal_id=draft.portal_id,
        link_kind=draft.link,
        link_target=draft.target,
        variables=draft.variables,
        submission_id=draft.submission_id,
        effect=draft.effect,
        metadata=caused_by(envelope),
        created_at=envelope.time,
        expires_at=envelope.time + mail_of(draft.template).lifetime,
    )


def _id(cause: str, draft: Draft, contact_id: str | None) -> str:
    """By what it is sent for and to whom, so that nothing is sent twice and nobody's mail counts as another's."""
    parts = [draft.sent_for or cause, draft.template, contact_id or "", MAIL]
    if draft.to != "contact" or draft.effect is not None:
        parts += [draft.to, draft.to_id or "", str(draft.effect)]
    return record_id("message", "/".join(parts))


class MessageHandler:
    """Queues messages, and wakes those that are asked for once more, in the transaction of the checkpoint.

    `staff_of` a group: the ids of its members. `end_of` a contract: its last day, where it is known.
    """

    def __init__(self, staff_of: StaffOf, end_of: EndOf) -> None:
        self.name = "reaction:messages"
        self.events: tuple[type[Event], ...] = (*EVENTS, MessageResendRequested)
        self.durable = True
        self._staff_of = staff_of
        self._end_of = end_of

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: the table comes from a migration."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        new = [
            message(envelope, each)
            for envelope in envelopes
            for draft in drafts(envelope)
            for each in await self._addressed(draft)
        ]
        await queue.add(connection, new)
        for envelope in envelopes:
            if isinstance(envelope.event, MessageResendRequested):
                await queue.wake(connection, envelope.event.message_id, envelope.time)

    async def _addressed(self, draft: Draft) -> list[Draft]:
        """A mail for each who is to get it, with what is to be known of it now."""
        if draft.to == "group":
            members = await self._staff_of(draft.to_id) if draft.to_id else []
            return [replace(draft, to="staff", to_id=member) for member in members]
        if draft.template == CONFIRMATION and draft.contract_id and "ends_on" not in draft.variables:
            ends_on = await self._end_of(draft.contract_id)
            if ends_on is not None:
                return [replace(draft, variables={**draft.variables, "ends_on": ends_on.isoformat()})]
        return [draft]
