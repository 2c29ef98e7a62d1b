"""Whether a password is right: the same work for an unknown address, a wrong password and a locked account."""

from __future__ import annotations

from datetime import datetime

from chassis.auth import Unauthenticated
from chassis.database import Pool
from services.identity.access.attempts import AttemptsTable, account
from services.identity.access.passwords import Passwords
from services.identity.addresses import normalised

STAFF_REALM = "staff"
OF_USER = (
    "SELECT p.subject, p.phc FROM users u JOIN passwords p ON p.subject = 'user/' || u.user_id "
    "WHERE u.portal_id = %s AND u.email = %s"
)
OF_STAFF = (
    "SELECT p.subject, p.phc FROM staff s JOIN passwords p ON p.subject = 'staff/' || s.staff_id "
    "WHERE %s = 'staff' AND s.email = %s"
)


def portal_realm(portal_id: str) -> str:
    return f"portal/{portal_id}"


class Credentials:
    """Checks addresses and passwords, of users by their portal and of staff."""

    def __init__(self, pool: Pool, passwords: Passwords) -> None:
        self._pool = pool
        self._passwords = passwords
        self._attempts = AttemptsTable(pool)

    async def check(self, realm: str, email: str, password: str, at: datetime) -> str:
        """Whose they are, e.g. `user/4f1c`. Raises Unauthenticated (`sign_in_refused`) without saying why."""
        email = normalised(email)
        allowed = await self._attempts.attempt(account(realm, email), at)
        subject, phc = await self._find(realm, email)
        right = await self._passwords.matches(phc, password)
        if not (allowed and right and subject and phc):
            raise Unauthenticated("sign_in_refused")
        await self._attempts.forget(account(realm, email))
        renewed = await self._passwords.renewed(phc, password)
        if renewed:
            async with self._pool.connection() as connection:
                await connection.execute(
                    "UPDATE passwords SET phc = %s WHERE subject = %s AND phc = %s", (renewed, subject, phc)
                )
        return subject

    async def unlock(self, realm: str, email: str) -> None:
        """Whoever has the mailbox need not wait any more."""
        await self._attempts.forget(account(realm, normalised(email)))

    async def _find(self, realm: str, email: str) -> tuple[str | None, str | None]:
        query = OF_STAFF if realm == STAFF_REALM else OF_USER
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, (realm.removeprefix("portal/"), email))
            return await cursor.fetchone() or (None, None)
