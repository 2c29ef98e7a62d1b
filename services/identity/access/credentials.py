"""Whether a password is right: the same work for an unknown address, a wrong password and a locked account."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose the right password was, e.g. `user/4f1c`, and the hash with which it was compared."""

    subject: str
    phc: str


class Credentials:
    """Checks addresses and passwords, of users by their portal and of staff."""

    def __init__(self, pool: Pool, passwords: Passwords) -> None:
        self._pool = pool
        self._passwords = passwords
        self._attempts = AttemptsTable(pool)

    async def check(self, realm: str, email: str, password: str, at: datetime) -> Proven:
        """Whose they are. Raises Unauthenticated (`sign_in_refused`) without saying why."""
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
        return Proven(subject, renewed or phc)

    async def check_still(self, proven: Proven) -> None:
        """Raises Unauthenticated (`sign_in_refused`) when there is another password than the one that was compared.

        To be asked once the epoch of the session to begin is read: a change after that ends the session.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT FROM passwords WHERE subject = %s AND phc = %s", (proven.subject, proven.phc)
            )
            if cursor.rowcount == 0:
                raise Unauthenticated("sign_in_refused")

    async def unlock(self, realm: str, email: str) -> None:
        """Whoever has the mailbox need not wait any more."""
        await self._attempts.forget(account(realm, normalised(email)))

    async def _find(self, realm: str, email: str) -> tuple[str | None, str | None]:
        query = OF_STAFF if realm == STAFF_REALM else OF_USER
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, (realm.removeprefix("portal/"), email))
            return await cursor.fetchone() or (None, None)
