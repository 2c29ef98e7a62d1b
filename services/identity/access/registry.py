"""Tables beside the events of portal users: one address is one user of a portal, and secrets end with their reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.errors import Conflict
from chassis.log import Connection
from contracts.base import Event, known
from contracts.identity import (
    PasswordChanged,
    UserAssigned,
    UserBlocked,
    UserDeleted,
    UserRegistered,
    UserUnassigned,
)
from services.identity.access import links, sessions
from services.identity.addresses import normalised
from services.identity.subjects import user_subject


async def keep(connection: Connection, events: Iterable[Event], at: datetime) -> None:
    """Writes what follows from events of portal users, in their transaction."""
    for event in events:
        match event:
            case UserRegistered():
                await _reserve(connection, event)
            case UserAssigned(user_id=user_id, contact_id=contact_id):
                await _belongs(connection, user_id, contact_id)
            case UserUnassigned(user_id=user_id):
                await _belongs(connection, user_id, None)
                await sessions.end_all(connection, user_subject(user_id))
            case UserBlocked(user_id=user_id):
                await sessions.end_all(connection, user_subject(user_id))
            case PasswordChanged(user_id=user_id):
                await sessions.end_all(connection, user_subject(user_id))
                await links.revoke(connection, user_subject(user_id), at)
            case UserDeleted(user_id=user_id):
                await connection.execute("DELETE FROM users WHERE user_id = %s", (user_id,))
                await forget(connection, user_subject(user_id))
            case _:
                pass


async def _reserve(connection: Connection, event: UserRegistered) -> None:
    """Raises Conflict when the address was taken at the same moment: who tries again finds its user."""
    cursor = await connection.execute(
        "INSERT INTO users (user_id, portal_id, email) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (event.user_id, event.portal_id, normalised(known(event.email) or "")),
    )
    if cursor.rowcount == 0:
        raise Conflict(f"users/{event.user_id}", 0, 1)


async def _belongs(connection: Connection, user_id: str, contact_id: str | None) -> None:
    await connection.execute("UPDATE users SET contact_id = %s WHERE user_id = %s", (contact_id, user_id))


async def forget(connection: Connection, subject: str) -> None:
    """Removes every secret of somebody who is gone."""
    await connection.execute("DELETE FROM passwords WHERE subject = %s", (subject,))
    await connection.execute("DELETE FROM chosen_passwords WHERE subject = %s", (subject,))
    await connection.execute("DELETE FROM links WHERE subject = %s", (subject,))
    await sessions.end_all(connection, subject)


async def find_user(connection: Connection, portal_id: str, email: str) -> str | None:
    """The user of a portal with this address."""
    cursor = await connection.execute(
        "SELECT user_id FROM users WHERE portal_id = %s AND email = %s", (portal_id, normalised(email))
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def users_of(connection: Connection, contact_id: str) -> list[str]:
    """The users who belong to a contact."""
    cursor = await connection.execute("SELECT user_id FROM users WHERE contact_id = %s", (contact_id,))
    return [row[0] for row in await cursor.fetchall()]


async def set_password(connection: Connection, subject: str, phc: str) -> None:
    """The password counts from now on; what was only chosen does not any more."""
    await connection.execute(
        "INSERT INTO passwords (subject, phc) VALUES (%s, %s) ON CONFLICT (subject) DO UPDATE SET phc = excluded.phc",
        (subject, phc),
    )
    await connection.execute("DELETE FROM chosen_passwords WHERE subject = %s", (subject,))


async def choose_password(connection: Connection, subject: str, phc: str) -> None:
    """The password of a first registration counts once a link that is made after this is used."""
    await connection.execute("INSERT INTO chosen_passwords (subject, phc) VALUES (%s, %s)", (subject, phc))


async def doubt_password(connection: Connection, subject: str) -> None:
    """Somebody registers an address again, or one that staff have invited, before it is confirmed.

    Nobody knows whose password that was: none of them counts, also not with links that were sent already, and whoever
    has the mailbox chooses one when he confirms.
    """
    await connection.execute("DELETE FROM chosen_passwords WHERE subject = %s", (subject,))
    await connection.execute("UPDATE links SET phc = NULL WHERE subject = %s AND used_at IS NULL", (subject,))
