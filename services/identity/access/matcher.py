"""Assigns users by their address: to the one contact that has it as its primary one, now or whenever it appears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from services.identity.access import registry
from services.identity.contacts.views import KnownRecords, contacts_of
from services.identity.portals.views import Portals
from services.identity.together import Together
from services.identity.users.decider import USERS, Match

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=30)
MAXIMUM_TRIES = 10
MAXIMUM_USERS = 100
"""Of one address: it has at most one user in a portal."""
NOBODY = (
    "DELETE FROM matching m WHERE due_at <= %s "
    "AND NOT EXISTS (SELECT FROM users u WHERE u.email = m.email AND u.contact_id IS NULL)"
)
"""Addresses that no user waits with; an import leaves many."""

log = structlog.get_logger()


class Matcher:
    """Looks at the addresses that are to be looked at, once the view of contacts is as far as its topics were."""

    def __init__(
        self, pool: Pool, together: Together, records: KnownRecords, portals: Portals, caught_up: Callable[[], bool]
    ) -> None:
        self._pool = pool
        self._together = together
        self._records = records
        self._portals = portals
        self._caught_up = caught_up
        self._clock = together.streams.clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to look at."""
        self._woken.set()

    async def run(self) -> None:
        """Assigns as long as the service runs."""
        while True:
            self._woken.clear()
            while self._caught_up() and await self._next():
                pass
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)

    async def _next(self) -> bool:
        """One address. It stays on the list when somebody asked for it once more meanwhile."""
        now = self._clock()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE matching SET tries = tries + 1, due_at = %s WHERE email = (SELECT email FROM matching "
                "WHERE due_at <= %s ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING email, asked, tries",
                (now + LEASE, now),
            )
            row = await cursor.fetchone()
        if row is None:
            return False
        email, asked, tries = row
        if tries > MAXIMUM_TRIES:
            log.error("matching of an address given up", tries=tries)
        else:
            await self._match(email)
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM matching WHERE (email, asked) = (%s, %s)", (email, asked))
            await connection.execute(NOBODY, (now,))
        return True

    async def _match(self, email: str) -> None:
        contact_ids = tuple(contact.id for contact in await contacts_of(self._records, email))
        if len(contact_ids) != 1:
            return
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT user_id, portal_id FROM users WHERE email = %s AND contact_id IS NULL LIMIT %s",
                (email, MAXIMUM_USERS),
            )
            users = await cursor.fetchall()
        for user_id, portal_id in users:
            portal = await self._portals.get(portal_id)
            if portal is not None and portal.registration.assign_by == "primary_email":
                await self._assign(user_id, contact_ids)

    async def _assign(self, user_id: str, contact_ids: tuple[str, ...]) -> None:
        async def work(connection: Connection) -> None:
            outcome = await self._together.execute(connection, Do(USERS, user_id, Match(user_id, contact_ids)))
            await registry.keep(connection, outcome.events, self._clock())

        try:
            await self._together.attempt(work)
        except Rejected as refused:
            log.info("match refused", reason=refused.code)
