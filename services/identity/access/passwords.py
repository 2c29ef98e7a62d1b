"""Hashing passwords with Argon2id, beside the event loop and never more at once than there are processors.

Whether a password may be chosen is estimated one at a time and on a lane of its own: nobody who signs in waits for it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.errors import Unavailable
from services.identity.access import rules

T = TypeVar("T")
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""The minimum of OWASP's password storage cheat sheet for Argon2id."""
MAXIMUM_WAITING = 200
MAXIMUM_ESTIMATES = 20


class Lane:
    """Work beside the event loop: so much at once, and so much that is under way or waits."""

    def __init__(self, at_once: int, maximum: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._maximum = maximum
        self._under_way = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns. Raises Unavailable when too much of it waits already."""
        if self._under_way >= self._maximum:
            raise Unavailable("too many passwords are being checked")
        self._under_way += 1
        try:
            async with self._free:
                return await asyncio.to_thread(work)
        finally:
            self._under_way -= 1


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._hashes = Lane(os.cpu_count() or 1, MAXIMUM_WAITING)
        self._estimates = Lane(1, MAXIMUM_ESTIMATES)

    async def hash(self, password: str, *own: str) -> str:
        """The hash of a password that may be chosen. Raises Rejected when it is too near to the `own` texts, or bad."""
        password = rules.normalised(password)
        await self._estimates.run(lambda: rules.check(password, own))
        return await self._hashes.run(lambda: self._hasher.hash(password))

    async def matches(self, phc: str | None, password: str) -> bool:
        """Whether it is the password; where nobody has one, it takes as long to say no."""
        password = rules.normalised(password[: rules.MAXIMUM_LENGTH + 1])
        return await self._hashes.run(lambda: self._verified(phc or self._nobody, password)) and phc is not None

    async def renewed(self, phc: str, password: str) -> str | None:
        """Another hash of the right password where the old one was made with weaker settings."""
        if not self._hasher.check_needs_rehash(phc):
            return None
        return await self._hashes.run(lambda: self._hasher.hash(rules.normalised(password)))

    def _verified(self, phc: str, password: str) -> bool:
        try:
            return self._hasher.verify(phc, password)
        except (VerificationError, InvalidHashError):
            return False
