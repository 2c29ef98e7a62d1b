"""Takes due messages from the queue, sends them, and records what came of each in one transaction with its event."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Protocol

import psycopg
import structlog
from jinja2 import TemplateError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chassis.decider import Do
from chassis.errors import Conflict
from chassis.failpoints import Point, reach
from chassis.log import Connection
from chassis.streams import Streams
from chassis.telemetry import meter, span, traceparent
from contracts.common import Language
from contracts.envelope import Metadata
from contracts.notifications import MessageFailed, MessageSent, Wording
from services.notifications.addressee import Addressee, Directory, Unreachable, Wanted
from services.notifications.links import SECRETS, Link, Links, NoLink, deep_link
from services.notifications.messages import queue
from services.notifications.messages.compose import InvalidAddress, compose, mailbox
from services.notifications.messages.decider import MESSAGE, Settle
from services.notifications.messages.queue import Due
from services.notifications.messages.retry import FIRST_DELAYS, MAXIMUM_ATTEMPTS, next_attempt
from services.notifications.messages.smtp import Accepted, Ambiguous, Outcome, Permanent, Server, Session, Transient
from services.notifications.templates.catalog import MAILS, mail_of
from services.notifications.templates.render import Frame, Rendered, render, sample

BATCH = 16
LANES = 4
POLL_SECONDS = 0.5
PAUSE_SECONDS = 5.0
STOP_SECONDS = 30.0
SETTLE_ATTEMPTS = 12
SETTLE_PAUSE_SECONDS = 0.5

log = structlog.get_logger()
outcomes = meter.create_counter("portico_mails", description="Attempts to send a mail, by outcome")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt, and as much of the mail as was known."""

    outcome: Outcome
    contact_id: str | None
    language: Language
    person: str | None = None
    recipient: str = ""
    subject: str = ""


class Wordings(Protocol):
    """Finds how a portal words a mail itself."""

    async def find(self, portal_id: str, template: str, language: Language) -> Wording | None:
        """Its wording; None: the standard one."""


class Mailer:
    """Sends what is due, a bounded batch at a time over a few connections. Several mailers may run side by side.

    `recorded` is called after a transaction that appended an event.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        streams: Streams,
        *,
        directory: Directory,
        wordings: Wordings,
        links: Links,
        server: Server,
        mail_from: str,
        recorded: Callable[[], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._streams = streams
        self._directory = directory
        self._wordings = wordings
        self._links = links
        self._server = server
        self._mail_from = mail_from
        self._sender = mailbox(parseaddr(mail_from)[1])
        self._recorded = recorded
        self._jitter = jitter

    async def run(self) -> None:
        """Sends until cancelled; a database that cannot be reached is waited for."""
        while True:
            try:
                sent = await self.deliver_due()
            except (psycopg.OperationalError, PoolTimeout) as error:
                log.warning("mailer waits for the database", error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if not sent:
                await asyncio.sleep(POLL_SECONDS)

    async def deliver_due(self) -> int:
        """Makes one attempt at each message of a batch; returns how many there were."""
        async with self._pool.connection() as connection:
            due = await queue.claim(connection, self._streams.clock(), BATCH)
        waiting = iter(due)
        lanes = [self._lane(waiting) for _ in range(min(LANES, len(due)))]
        for result in await asyncio.gather(*lanes, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        return len(due)

    async def _lane(self, waiting: Iterator[Due]) -> None:
        session = Session(self._server)
        try:
            for due in waiting:
                await _to_its_end(self._deliver(session, due))
        finally:
            await session.close()

    async def _deliver(self, session: Session, due: Due) -> None:
        with span("send mail", due.traceparent, template=due.template, message=due.id):
            await reach(Point.MAILER_BEFORE_SEND)
            attempt = await self._attempt(session, due)
            await reach(Point.MAILER_AFTER_SEND)
            outcomes.add(1, {"outcome": type(attempt.outcome).__name__.lower()})
            await self._record(due, attempt)
            await reach(Point.MAILER_AFTER_COMMIT)

    async def _attempt(self, session: Session, due: Due) -> Attempt:
        found = await self._directory.find(_wanted(due))
        if isinstance(found, Unreachable):
            missing: Outcome = Permanent(found.reason) if found.for_good else Transient(found.reason)
            return Attempt(self._in_time(due) or missing, found.contact_id, found.language)
        attempt = Attempt(Accepted(), found.contact_id, found.language, found.person, found.address)
        try:
            recipient = mailbox(found.address)
        except InvalidAddress:
            return replace(attempt, outcome=Permanent("address_invalid"))
        attempt = replace(attempt, recipient=recipient)
        if outcome := self._in_time(due) or await self._suppressed(due, recipient):
            return replace(attempt, outcome=outcome)
        rendered = await self._rendered(due, found)
        if not isinstance(rendered, Rendered):
            return replace(attempt, outcome=rendered)
        outcome = await self._send(session, due, found, recipient, rendered)
        return replace(attempt, subject=rendered.subject, outcome=outcome)

    async def _rendered(self, due: Due, found: Addressee) -> Rendered | Permanent | Transient:
        """The mail, in the portal's own wording where it has one that can be filled in."""
        values = await self._values(due, found)
        if any(values.get(name) is None for name in mail_of(due.template).needs):
            return Transient("facts_missing")
        wording = await self._wordings.find(found.portal.id, due.template, found.language)
        if wording is None and due.template not in MAILS:
            return Permanent("template_unknown")
        link = await self._link(due, found)
        if isinstance(link, NoLink):
            return Permanent(link.reason) if link.for_good else Transient(link.reason)
        frame = _frame(found, link.url)
        for each in dict.fromkeys((wording, None)):
            if each is not None or due.template in MAILS:
                try:
                    return render(due.template, frame, values, each)
                except (TemplateError, LookupError, TypeError, ValueError, OSError):
                    log.exception("template fails", template=due.template, message=due.id, own=each is not None)
        return Permanent("template_fails")

    async def _values(self, due: Due, found: Addressee) -> dict[str, Any]:
        """What the template can name: what the message brings, and what is known of its matter now."""
        values = {**(dict.fromkeys(sample(due.template)) if due.template not in MAILS else {}), **due.variables}
        if journey_id := values.pop("journey_id", None):
            values["journey"] = await self._directory.title_of(journey_id, found.language)
        if values.get("ends_on") is None and found.contract and found.contract.ends_on:
            values["ends_on"] = found.contract.ends_on.isoformat()
        return values

    async def _link(self, due: Due, found: Addressee) -> Link | NoLink:
        if due.link_kind in SECRETS:
            return await self._links.ask(due.link_kind, found.portal.id, due.recipient_id or "")
        target = {**due.link_target, "contract_id": due.contract_id}
        return Link(url=deep_link(found.portal.url, due.link_kind, target))

    def _in_time(self, due: Due) -> Outcome | None:
        late = self._streams.clock() > due.expires_at or due.attempts > MAXIMUM_ATTEMPTS
        return Permanent("expired") if late else None

    async def _suppressed(self, due: Due, recipient: str) -> Outcome | None:
        """A resend is somebody's decision, so it goes out also to an address that failed before."""
        if due.resends:
            return None
        async with self._pool.connection() as connection:
            suppressed = await queue.is_suppressed(connection, recipient)
        return Permanent("address_suppressed") if suppressed else None

    async def _send(
        self, session: Session, due: Due, addressee: Addressee, recipient: str, rendered: Rendered
    ) -> Outcome:
        mail = compose(
            id_=due.id,
            resends=due.resends,
            mail_from=self._mail_from,
            portal_name=addressee.portal.name,
            recipient=recipient,
            language=addressee.language,
            rendered=rendered,
            now=self._streams.clock(),
        )
        return await session.send(self._sender, recipient, mail.as_bytes())

    async def _record(self, due: Due, attempt: Attempt) -> None:
        """Postpones the message, or ends it together with its event.

        Tried again when its stream moved on meanwhile or the database is away: a mail that is out should not go twice.
        """
        reason, reply, again = self._judge(due, attempt.outcome)
        if again is not None and reason is not None:
            async with self._pool.connection() as connection:
                await queue.postpone(connection, due, again, reason, reply)
            log.info("mail postponed", message=due.id, reason=reason, reply=reply, attempts=due.attempts)
            return
        for left in reversed(range(SETTLE_ATTEMPTS)):
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    await self._end(connection, due, attempt, reason, reply)
                self._recorded()
                return
            except (Conflict, psycopg.OperationalError, PoolTimeout):
                if not left:
                    raise
                await asyncio.sleep(SETTLE_PAUSE_SECONDS)

    def _judge(self, due: Due, outcome: Outcome) -> tuple[str | None, str | None, datetime | None]:
        """Reason and reply, if it was not accepted, and when to try again, if ever."""
        now = self._streams.clock()
        match outcome:
            case Accepted():
                return None, None, None
            case Permanent(reason, reply):
                return reason, reply, None
            case Transient(reason, reply):
                return reason, reply, next_attempt(due.attempts, now, due.expires_at, self._jitter())
            case Ambiguous(reason):
                pause = FIRST_DELAYS[-1]
                again = next_attempt(due.attempts, now, due.expires_at, self._jitter(), not_before=pause)
                return reason, None, again

    async def _end(
        self, connection: Connection, due: Due, attempt: Attempt, reason: str | None, reply: str | None
    ) -> None:
        now = self._streams.clock()
        ours = await queue.settle(
            connection,
            due,
            "failed" if reason else "sent",
            now,
            language=attempt.language,
            contact_id=attempt.contact_id or due.contact_id,
            reason=reason,
            reply=reply,
        )
        if not ours:
            log.warning("message was taken over by another mailer", message=due.id)
            return
        event = _event(due, attempt, reason, reply)
        metadata = Metadata(due.correlation_id, due.cause, None, traceparent() or due.traceparent)
        await self._streams.execute_all([Do(MESSAGE, due.id, Settle(event), metadata)], connection)
        if isinstance(attempt.outcome, Permanent) and attempt.outcome.no_mailbox:
            await queue.suppress(connection, attempt.recipient, due.id, reply or "", now)
        elif isinstance(attempt.outcome, Accepted):
            await queue.allow(connection, attempt.recipient)
        log.info("mail failed" if reason else "mail sent", message=due.id, reason=reason, attempts=due.attempts)


def _event(due: Due, attempt: Attempt, reason: str | None, reply: str | None) -> MessageSent | MessageFailed:
    facts: dict[str, Any] = {
        "message_id": due.id,
        "cause": due.cause,
        "template": due.template,
        "language": attempt.language,
        "contact_id": attempt.contact_id,
        "person": attempt.person,
        "recipient": attempt.recipient,
        "subject": attempt.subject,
        "submission_id": due.submission_id,
        "effect": due.effect,
        "attempts": due.attempts,
    }
    if reason is None:
        return MessageSent(**facts)
    return MessageFailed(**facts, reason=f"{reason} {reply}" if reply else reason)


def _wanted(due: Due) -> Wanted:
    return Wanted(
        kind=due.recipient_kind,
        id=due.contact_id if due.recipient_kind == "contact" else due.recipient_id,
        contract_id=due.contract_id,
        contract_number=due.contract_number,
        portal_id=due.portal_id,
        audience=due.audience,
    )


def _frame(addressee: Addressee, link: str) -> Frame:
    contract = addressee.contract
    return Frame(
        language=addressee.language,
        salutation=addressee.salutation,
        first_name=addressee.first_name,
        last_name=addressee.last_name,
        portal_name=addressee.portal.name,
        link=link,
        contract_number=contract.number if contract else None,
        division=contract.division if contract else None,
        product=contract.product if contract else None,
        brand=addressee.portal.brand,
        to_staff=addressee.kind == "staff",
    )


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """When we are stopped in the middle of a mail, what became of it is still recorded."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=STOP_SECONDS)
        raise
