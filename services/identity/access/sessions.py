"""Sessions: 256 random bits that a gateway keeps in a cookie, stored as their hash, ended by time or by an event."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.auth import Unauthenticated
from chassis.database import Pool
from chassis.log import Connection
from services.identity.lifetimes import SESSION_IDLE, SESSION_LIFETIME, STAFF_SESSION_LIFETIME
from services.identity.subjects import STAFF

SESSION_BYTES = 32
NOTED_EVERY = timedelta(minutes=1)
"""Use is noted no more often than this: asking for a token is a read nearly always."""
MAXIMUM_SESSIONS = 20
"""Of one subject; the oldest ends when another begins."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whose session it is. It is good only while its subject is in the same `epoch`."""

    subject: str
    portal_id: str | None
    epoch: int
    began_at: datetime
    used_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When it ends if it is not used any more."""
        return min(self.used_at + SESSION_IDLE, self.began_at + lifetime(self.subject))


def lifetime(subject: str) -> timedelta:
    return STAFF_SESSION_LIFETIME if subject.startswith(STAFF) else SESSION_LIFETIME


class Sessions:
    """The sessions of all instances."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, subject: str, portal_id: str | None, epoch: int, at: datetime) -> tuple[str, Session]:
        """A new session and its secret, which is shown this once."""
        secret = secrets.token_urlsafe(SESSION_BYTES)
        session = Session(subject, portal_id, epoch, at, at)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO sessions (session_sha256, subject, portal_id, epoch, began_at, used_at) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (digest(secret), subject, portal_id, epoch, at, at),
            )
            await connection.execute(
                "DELETE FROM sessions WHERE session_sha256 IN (SELECT session_sha256 FROM sessions "
                "WHERE subject = %s ORDER BY used_at DESC, began_at DESC OFFSET %s)",
                (subject, MAXIMUM_SESSIONS),
            )
        return secret, session

    async def use(self, secret: str, at: datetime) -> Session:
        """The session of a secret. Raises Unauthenticated (`session_ended`) when there is none or its time is over."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT subject, portal_id, epoch, began_at, used_at FROM sessions WHERE session_sha256 = %s",
                (digest(secret),),
            )
            row = await cursor.fetchone()
            session = Session(*row) if row else None
            if session is None or session.expires_at <= at:
                raise Unauthenticated("session_ended")
            if at - session.used_at < NOTED_EVERY:
                return session
            await connection.execute(
                "UPDATE sessions SET used_at = greatest(used_at, %s) WHERE session_sha256 = %s", (at, digest(secret))
            )
        return Session(session.subject, session.portal_id, session.epoch, session.began_at, at)

    async def end(self, secret: str) -> None:
        """Ends one session; one that is not there is ended already."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM sessions WHERE session_sha256 = %s", (digest(secret),))


async def end_all(connection: Connection, subject: str) -> None:
    await connection.execute("DELETE FROM sessions WHERE subject = %s", (subject,))


async def sweep(connection: Connection, at: datetime) -> None:
    """Removes sessions whose time is over."""
    await connection.execute(
        "DELETE FROM sessions WHERE used_at <= %s OR began_at <= %s", (at - SESSION_IDLE, at - SESSION_LIFETIME)
    )


def digest(secret: str) -> bytes:
    """A plain hash is enough for what cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
