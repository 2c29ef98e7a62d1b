"""HTTP in: the delivery log, one message with what became of it, and sending once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.database import Pool
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import ZONE, Texts, language_of
from contracts.base import known
from contracts.common import Language
from contracts.envelope import Envelope
from contracts.ids import stream
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent
from services.notifications.addressee import Kind
from services.notifications.cursors import read_cursor, write_cursor
from services.notifications.messages import queue
from services.notifications.messages.decider import MESSAGE, Resend

PAGE = 50
DAY = timedelta(days=1)

Id = Annotated[str, Path(max_length=40)]
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]


class Message(BaseModel):
    """A message in the delivery log."""

    id: str
    state: queue.State
    template: str
    language: Language | None = Field(description="Known once it was sent or given up")
    channel: Literal["mail"]
    contact_id: str | None
    recipient: Kind = Field(description="Whom it goes to: a contact, a portal user, staff, or who sent a journey")
    contract_id: str | None
    portal_id: str | None
    cause: str = Field(description="The event that made it necessary", examples=["billing/2:1234"])
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    settled_at: datetime | None
    reason: str | None = Field(description="Why it waits or failed, as a stable code", examples=["smtp_refused"])
    reply: str | None = Field(description="The mail server's status", examples=["550 5.1.1"])
    explanation: str | None = Field(description="The reason as a sentence, in the language of Accept-Language")


class MessagePage(BaseModel):
    """Some messages, the newest first."""

    items: list[Message]
    next: str | None = Field(description="Where the next page begins: `cursor`; null at the end")


class Happening(BaseModel):
    """Something that became of a message. `recipient` and `subject` are gone when the person is erased."""

    what: Literal["sent", "failed", "resend_requested"]
    at: datetime
    position: str
    by: str | None
    attempts: int | None
    reason: str | None
    recipient: str | None
    subject: str | None


class MessageWithHistory(Message):
    """A message and everything that became of it."""

    history: list[Happening]


class ResendAnswer(BaseModel):
    """The message goes out as soon as the mailer gets to it."""

    id: str


def router(pool: Pool, streams: Streams, texts: Texts) -> APIRouter:
    api = APIRouter(tags=["messages"])

    @api.get("/messages")
    async def messages(
        _: Staff,
        wanted: Annotated[queue.Wanted, Depends(_wanted)],
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=queue.MAXIMUM_PAGE)] = PAGE,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> MessagePage:
        """The delivery log, the newest first."""
        behind = _read_cursor(cursor)
        async with pool.connection() as connection:
            found = await queue.entries(connection, wanted, behind=behind, limit=limit + 1)
        page = found[:limit]
        language = language_of(accept_language)
        return MessagePage(
            items=[_message(entry, texts, language) for entry in page],
            next=write_cursor(page[-1].created_at.isoformat(), page[-1].id) if len(found) > limit else None,
        )

    @api.get("/messages/{id}")
    async def message(
        id: Id,  # noqa: A002
        _: Staff,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> MessageWithHistory:
        """One message and what became of it."""
        entry = await _entry(pool, id)
        history = await streams.history(stream(MESSAGE.kind, id))
        shown = _message(entry, texts, language_of(accept_language))
        return MessageWithHistory(**shown.model_dump(), history=_history(history))

    @api.post("/messages/{id}/resend", status_code=202)
    async def resend(id: Id, request: CommandRequest, response: Response, _: Staff) -> ResendAnswer:  # noqa: A002
        """Sends a message once more, or at once when it waits. Asking again before it went out changes nothing."""
        await _entry(pool, id)
        answer(response, await streams.execute(MESSAGE, id, Resend(id), request))
        return ResendAnswer(id=id)

    return api


def _wanted(
    *,
    contact_id: Annotated[str | None, Query(max_length=40)] = None,
    recipient: Annotated[Kind | None, Query()] = None,
    status: Annotated[queue.State | None, Query()] = None,
    template: Annotated[str | None, Query(max_length=40)] = None,
    portal_id: Annotated[str | None, Query(max_length=63)] = None,
    since: Annotated[date | None, Query(description="From this day on, in the zone of the portals")] = None,
    until: Annotated[date | None, Query(description="Up to this day and including it")] = None,
) -> queue.Wanted:
    return queue.Wanted(
        contact_id=contact_id,
        recipient_kind=recipient,
        state=status,
        template=template,
        portal_id=portal_id,
        since=None if since is None else _midnight(since),
        before=None if until is None else _midnight(min(until, date.max - DAY) + DAY),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, ZONE)


async def _entry(pool: Pool, id_: str) -> queue.Entry:
    async with pool.connection() as connection:
        found = await queue.entry(connection, id_)
    if found is None:
        raise NotFound("message_not_found")
    return found


def _message(entry: queue.Entry, texts: Texts, language: Language) -> Message:
    return Message(
        id=entry.id,
        state=entry.state,
        template=entry.template,
        language=entry.language,
        channel=entry.channel,
        contact_id=entry.contact_id,
        recipient=entry.recipient_kind,
        contract_id=entry.contract_id,
        portal_id=entry.portal_id,
        cause=entry.cause,
        attempts=entry.attempts,
        created_at=entry.created_at,
        next_attempt_at=entry.next_attempt_at,
        settled_at=entry.settled_at,
        reason=entry.reason,
        reply=entry.reply,
        explanation=texts.say(entry.reason, language) if entry.reason else None,
    )


def _history(envelopes: Sequence[Envelope]) -> list[Happening]:
    return [happening for envelope in envelopes if (happening := _happening(envelope))]


def _happening(envelope: Envelope) -> Happening | None:
    what: Literal["sent", "failed", "resend_requested"]
    attempts, reason, recipient, subject = None, None, None, None
    match envelope.event:
        case MessageSent() as event:
            what, attempts = "sent", event.attempts
            recipient, subject = known(event.recipient), known(event.subject)
        case MessageFailed() as event:
            what, attempts, reason = "failed", event.attempts, event.reason
            recipient, subject = known(event.recipient), known(event.subject)
        case MessageResendRequested():
            what = "resend_requested"
        case _:
            return None
    return Happening(
        what=what,
        at=envelope.time,
        position=str(envelope.position),
        by=envelope.metadata.actor,
        attempts=attempts,
        reason=reason,
        recipient=recipient or None,
        subject=subject or None,
    )


def _read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    found = read_cursor(cursor)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[0])
    except ValueError:
        raise Rejected("invalid_cursor") from None
    if at.tzinfo is None:
        raise Rejected("invalid_cursor")
    return at, found[1]
