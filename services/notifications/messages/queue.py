"""The table of messages: a queue for the mailer, and the delivery log for people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from psycopg.rows import class_row

from chassis.log import Connection
from contracts.common import Language
from contracts.envelope import Metadata
from services.notifications.addressee import Audience, Kind

State = Literal["waiting", "sending", "sent", "failed"]
LEASE = timedelta(minutes=7)
MAXIMUM_PAGE = 200


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as an event calls for it. Address and name are looked up when it is sent and never stored."""

    id: str
    cause: str
    template: str
    contact_id: str | None
    recipient_kind: Kind
    recipient_id: str | None
    audience: Audience | None
    channel: str
    contract_id: str | None
    contract_number: str | None
    portal_id: str | None
    link_kind: str
    link_target: Mapping[str, Any]
    variables: Mapping[str, Any]
    submission_id: str | None
    effect: int | None
    metadata: Metadata
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is being sent. `attempts` counts this one and, with `resends`, fences its outcome."""

    id: str
    cause: str
    template: str
    contact_id: str | None
    recipient_kind: Kind
    recipient_id: str | None
    audience: Audience | None
    contract_id: str | None
    contract_number: str | None
    portal_id: str | None
    link_kind: str
    link_target: dict[str, Any]
    variables: dict[str, Any]
    submission_id: str | None
    effect: int | None
    correlation_id: str | None
    traceparent: str | None
    attempts: int
    resends: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the delivery log."""

    id: str
    cause: str
    template: str
    language: Language | None
    contact_id: str | None
    recipient_kind: Kind
    contract_id: str | None
    portal_id: str | None
    channel: str
    state: State
    attempts: int
    resends: int
    reason: str | None
    reply: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages of the log somebody wants to see; None: all. `since` is included, `before` is not."""

    contact_id: str | None = None
    recipient_kind: Kind | None = None
    state: State | None = None
    template: str | None = None
    portal_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None


_ENTRY = (
    "SELECT id, cause, template, language, contact_id, recipient_kind, contract_id, portal_id, channel, state, "
    "attempts, resends, reason, reply, created_at, settled_at, "
    "CASE WHEN state IN ('waiting', 'sending') THEN next_attempt_at END AS next_attempt_at FROM messages "
)


async def add(connection: Connection, messages: Sequence[NewMessage]) -> None:
    """Queues messages; one that was queued before stays as it is."""
    if not messages:
        return
    rows = [_row(message) for message in messages]
    columns = (
        "id, cause, template, contact_id, recipient_kind, recipient_id, audience, channel, contract_id, "
        "contract_number, portal_id, link_kind, link_target, variables, submission_id, effect, "
    )
    times = "correlation_id, traceparent, created_at, next_attempt_at, expires_at, lifetime"
    await connection.execute(
        f"INSERT INTO messages ({columns} {times}) "  # noqa: S608 constants
        f"SELECT {columns} correlation_id, traceparent, created_at, created_at, expires_at, expires_at - created_at "
        "FROM jsonb_to_recordset(%s::jsonb) AS new (id text, cause text, template text, contact_id text, "
        "recipient_kind text, recipient_id text, audience text, channel text, contract_id text, contract_number text, "
        "portal_id text, link_kind text, link_target jsonb, variables jsonb, submission_id text, effect integer, "
        "correlation_id text, traceparent text, created_at timestamptz, expires_at timestamptz) ON CONFLICT DO NOTHING",
        (orjson.dumps(rows).decode(),),
    )


def _row(message: NewMessage) -> dict[str, Any]:
    facts: dict[str, Any] = asdict(message)
    metadata: Metadata = facts.pop("metadata")
    return facts | metadata.known()


async def wake(connection: Connection, message_id: str, now: datetime) -> None:
    """Makes a message due now, also one that was sent or given up; one that is being sent is left alone."""
    await connection.execute(
        "UPDATE messages SET state = 'waiting', attempts = 0, resends = resends + 1, next_attempt_at = %s, "
        "expires_at = %s + lifetime, settled_at = NULL, reason = NULL, reply = NULL "
        "WHERE id = %s AND state <> 'sending'",
        (now, now, message_id),
    )


async def claim(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """Takes due messages for the time of a lease; one whose sender died is due again when the lease ends."""
    cursor = connection.cursor(row_factory=class_row(Due))
    await cursor.execute(
        "UPDATE messages SET state = 'sending', attempts = attempts + 1, next_attempt_at = %(until)s WHERE id IN ("
        "SELECT id FROM messages WHERE state IN ('waiting', 'sending') AND next_attempt_at <= %(now)s "
        "ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) "
        "RETURNING id, cause, template, contact_id, recipient_kind, recipient_id, audience, contract_id, "
        "contract_number, portal_id, link_kind, link_target, variables, submission_id, effect, correlation_id, "
        "traceparent, attempts, resends, expires_at",
        {"now": now, "until": now + LEASE, "limit": limit},
    )
    return await cursor.fetchall()


async def postpone(connection: Connection, due: Due, at: datetime, reason: str, reply: str | None) -> bool:
    """Lets a message wait for its next attempt."""
    cursor = await connection.execute(
        "UPDATE messages SET state = 'waiting', next_attempt_at = %s, reason = %s, reply = %s "
        "WHERE id = %s AND state = 'sending' AND attempts = %s AND resends = %s",
        (at, reason, reply, due.id, due.attempts, due.resends),
    )
    return bool(cursor.rowcount)


async def settle(
    connection: Connection,
    due: Due,
    state: Literal["sent", "failed"],
    at: datetime,
    *,
    language: Language,
    contact_id: str | None,
    reason: str | None,
    reply: str | None,
) -> bool:
    """Ends a message; False when somebody else has it by now."""
    cursor = await connection.execute(
        "UPDATE messages SET state = %s, settled_at = %s, language = %s, contact_id = %s, reason = %s, reply = %s "
        "WHERE id = %s AND state = 'sending' AND attempts = %s AND resends = %s",
        (state, at, language, contact_id, reason, reply, due.id, due.attempts, due.resends),
    )
    return bool(cursor.rowcount)


async def suppress(connection: Connection, address: str, message_id: str, reason: str, at: datetime) -> None:
    """Remembers, as a hash only, an address that does not exist."""
    await connection.execute(
        "INSERT INTO suppressions (address_hash, message_id, reason, suppressed_at) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (_hash(address), message_id, reason, at),
    )


async def allow(connection: Connection, address: str) -> None:
    """Forgets a suppression: a mail arrived."""
    await connection.execute("DELETE FROM suppressions WHERE address_hash = %s", (_hash(address),))


async def is_suppressed(connection: Connection, address: str) -> bool:
    """Whether an address was found not to exist."""
    cursor = await connection.execute("SELECT 1 FROM suppressions WHERE address_hash = %s", (_hash(address),))
    return await cursor.fetchone() is not None


async def entry(connection: Connection, message_id: str) -> Entry | None:
    """One message of the delivery log."""
    cursor = connection.cursor(row_factory=class_row(Entry))
    await cursor.execute(_ENTRY + "WHERE id = %s", (message_id,))
    return await cursor.fetchone()


async def entries(
    connection: Connection, wanted: Wanted, *, behind: tuple[datetime, str] | None, limit: int
) -> list[Entry]:
    """The delivery log, the newest first, behind the entry of that time and id."""
    conditions, parameters = ["true"], list[object]()
    for condition, values in (
        ("contact_id = %s", [wanted.contact_id]),
        ("recipient_kind = %s", [wanted.recipient_kind]),
        ("state = %s", [wanted.state]),
        ("template = %s", [wanted.template]),
        ("portal_id = %s", [wanted.portal_id]),
        ("created_at >= %s", [wanted.since]),
        ("created_at < %s", [wanted.before]),
        ("(created_at, id) < (%s, %s)", list(behind or [None])),
    ):
        if values[0] is not None:
            conditions.append(condition)
            parameters += values
    cursor = connection.cursor(row_factory=class_row(Entry))
    where = " AND ".join(conditions)
    await cursor.execute(
        f"{_ENTRY} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT %s",
        (*parameters, min(limit, MAXIMUM_PAGE)),
    )
    return await cursor.fetchall()


def _hash(address: str) -> bytes:
    return hashlib.sha256(address.lower().encode()).digest()
