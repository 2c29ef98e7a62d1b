"""Delays for whoever guesses passwords, per account and whether or not there is such an account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.database import Pool
from chassis.log import Connection

FREE_FAILURES = 10
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)
MAXIMUM_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failures in a row, the last of them, and until when nothing is accepted."""

    failures: int
    last_at: datetime
    locked_until: datetime | None = None


def attempted(before: Attempts | None, at: datetime) -> tuple[Attempts, bool]:
    """Counts an attempt as failed before it is compared; false when the account is locked, and it is not counted."""
    if before is not None and before.locked_until is not None and before.locked_until > at:
        return before, False
    if before is None or before.last_at + FORGOTTEN_AFTER <= at:
        return Attempts(1, at), True
    failures = before.failures + 1
    after = replace(before, failures=failures, last_at=at, locked_until=None)
    return (replace(after, locked_until=at + _lock(failures)) if failures >= FREE_FAILURES else after), True


def _lock(failures: int) -> timedelta:
    doublings = min(failures - FREE_FAILURES, MAXIMUM_DOUBLINGS)
    return min(FIRST_LOCK * (1 << doublings), LONGEST_LOCK)


def account(realm: str, email: str) -> bytes:
    """What an account is counted under; the address itself is not kept."""
    return hashlib.sha256(f"{realm}\n{email}".encode("utf-8", "replace")).digest()


class AttemptsTable:
    """The attempts of all instances together."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def attempt(self, account_sha256: bytes, at: datetime) -> bool:
        """Counts an attempt; false when the account is locked."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "INSERT INTO sign_in_attempts (account_sha256, failures, last_at) VALUES (%s, 0, %s) "
                "ON CONFLICT (account_sha256) DO UPDATE SET failures = sign_in_attempts.failures "
                "RETURNING failures, last_at, locked_until",
                (account_sha256, at),
            )
            row = await cursor.fetchone()
            after, allowed = attempted(Attempts(*row) if row else None, at)
            await connection.execute(
                "UPDATE sign_in_attempts SET failures = %s, last_at = %s, locked_until = %s WHERE account_sha256 = %s",
                (after.failures, after.last_at, after.locked_until, account_sha256),
            )
        return allowed

    async def forget(self, account_sha256: bytes) -> None:
        """The password was right."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM sign_in_attempts WHERE account_sha256 = %s", (account_sha256,))


async def sweep(connection: Connection, at: datetime) -> None:
    """Forgets accounts that nobody has tried for long."""
    await connection.execute("DELETE FROM sign_in_attempts WHERE last_at < %s", (at - FORGOTTEN_AFTER,))
