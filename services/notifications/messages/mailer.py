"""Takes due messages from the queue, sends them, and records what came of each in one transaction with its event."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from typing import Any

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
from contracts.notifications import MessageFailed, MessageSent
from services.notifications.addressee import Addressee, Directory, Unreachable
from services.notifications.messages import queue
from services.notifications.messages.compose import InvalidAddress, compose, mailbox
from services.notifications.messages.decider import MESSAGE, Settle
from services.notifications.messages.queue import Due
from services.notifications.messages.retry import FIRST_DELAYS, MAXIMUM_ATTEMPTS, next_attempt
from services.notifications.messages.smtp import Accepted, Ambiguous, Outcome, Permanent, Server, Session, Transient
from services.notifications.templates.render import Frame, Rendered, render

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


class Mailer:
    """Sends what is due, a bounded batch at a time over a few connections. Several mailers may run side by side.

    `recorded` is called after a transaction that appended an event.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        streams: Streams,
        directory: Directory,
        server: Server,
        mail_from: str,
        *,
        recorded: Callable[[], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._streams = streams
        self._directory = directory
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
        found = await self._directory.find(due.contact_id, due.contract_id, due.contract_number, due.portal_id)
        if isinstance(found, Unreachable):
            missing: Outcome = Permanent(found.reason) if found.for_good else Transient(found.reason)
            return Attempt(self._in_time(due) or missing, found.contact_id, found.language)
        attempt = Attempt(Accepted(), found.contact_id, found.language, found.person, found.address)
        try:
            recipient = mailbox(found.address)
        except InvalidAddress:
            return replace(attempt, outcome=Permanent("address_invalid"))
        try:
            rendered = render(due.template, _frame(found), due.variables)
        except (TemplateError, LookupError, TypeError, ValueError, OSError):
            log.exception("template fails", template=due.template, message=due.id)
            return replace(attempt, outcome=Permanent("template_fails"))
        outcome = self._in_time(due) or await self._suppressed(due, recipient)
        outcome = outcome or await self._send(session, due, found, recipient, rendered)
        return replace(attempt, recipient=recipient, subject=rendered.subject, outcome=outcome)

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
            portal_name=addressee.portal_name,
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
        "attempts": due.attempts,
    }
    if reason is None:
        return MessageSent(**facts)
    return MessageFailed(**facts, reason=f"{reason} {reply}" if reply else reason)


def _frame(addressee: Addressee) -> Frame:
    return Frame(
        language=addressee.language,
        salutation=addressee.salutation,
        first_name=addressee.first_name,
        last_name=addressee.last_name,
        portal_name=addressee.portal_name,
        link=addressee.link,
        contract_number=addressee.contract_number,
        division=addressee.division,
        product=addressee.product,
    )


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """When we are stopped in the middle of a mail, what became of it is still recorded."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=STOP_SECONDS)
        raise
