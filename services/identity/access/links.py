"""One-time links: 192 random bits in a mail, stored as their hash, used once however many try at the same moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from chassis.database import Pool
from chassis.errors import NotFound, Rejected
from chassis.log import Connection
from services.identity.access.sessions import digest
from services.identity.lifetimes import INVITATION_LIFETIME, LINK_LIFETIME

Kind = Literal["activation", "reset", "invitation", "staff_password"]
LIFETIMES: dict[Kind, timedelta] = {
    "activation": LINK_LIFETIME,
    "reset": LINK_LIFETIME,
    "invitation": INVITATION_LIFETIME,
    "staff_password": INVITATION_LIFETIME,
}
TOKEN_BYTES = 24
MAXIMUM_OPEN = 10
"""Of one kind and subject; the oldest goes when another is made."""
KEPT_USED = timedelta(days=7)
"""For so long somebody who comes back is told that the link was used, or is too old."""

State = Literal["open", "used", "expired"]


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for. `phc` is the hash of the password that counts once it is used; None: one must be chosen."""

    kind: Kind
    subject: str
    portal_id: str | None
    phc: str | None
    expires_at: datetime
    used_at: datetime | None

    def state(self, at: datetime) -> State:
        if self.used_at is not None:
            return "used"
        return "expired" if self.expires_at <= at else "open"


class Links:
    """The links of all instances."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def make(self, kind: Kind, subject: str, portal_id: str | None, at: datetime) -> tuple[str, datetime]:
        """A new token and when it ends. One that activates takes along the password that the subject has chosen."""
        token, expires_at = secrets.token_urlsafe(TOKEN_BYTES), at + LIFETIMES[kind]
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO links (token_sha256, kind, subject, portal_id, phc, made_at, expires_at) "
                "VALUES (%s, %s, %s, %s, "
                "(SELECT phc FROM chosen_passwords WHERE subject = %s AND %s = 'activation'), %s, %s)",
                (digest(token), kind, subject, portal_id, subject, kind, at, expires_at),
            )
            await connection.execute(
                "DELETE FROM links WHERE token_sha256 IN (SELECT token_sha256 FROM links "
                "WHERE subject = %s AND kind = %s ORDER BY made_at DESC OFFSET %s)",
                (subject, kind, MAXIMUM_OPEN),
            )
        return token, expires_at

    async def find(self, token: str) -> Link:
        """What a token is for; using it is another matter. Raises NotFound."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT kind, subject, portal_id, phc, expires_at, used_at FROM links WHERE token_sha256 = %s",
                (digest(token),),
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFound("link_not_found")
        return Link(*row)


async def use(connection: Connection, token: str, at: datetime) -> Link:
    """Uses a token up in the given transaction. Raises Rejected (`link_used`, `link_expired`) and NotFound."""
    cursor = await connection.execute(
        "UPDATE links SET used_at = %s WHERE token_sha256 = %s AND used_at IS NULL AND expires_at > %s "
        "RETURNING kind, subject, portal_id, phc, expires_at, NULL",
        (at, digest(token), at),
    )
    row = await cursor.fetchone()
    if row is not None:
        return Link(*row)
    cursor = await connection.execute("SELECT used_at FROM links WHERE token_sha256 = %s", (digest(token),))
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("link_not_found")
    raise Rejected("link_used" if row[0] else "link_expired")


async def revoke(connection: Connection, subject: str, at: datetime) -> None:
    """Uses up all links of a subject."""
    await connection.execute("UPDATE links SET used_at = %s WHERE subject = %s AND used_at IS NULL", (at, subject))


async def sweep(connection: Connection, at: datetime) -> None:
    """Removes links of which nobody has to be told anything any more."""
    await connection.execute("DELETE FROM links WHERE expires_at < %s", (at - KEPT_USED,))
