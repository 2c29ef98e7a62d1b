"""Removes what nobody can use any more: sessions, links and counted attempts whose time is over."""

from __future__ import annotations

import asyncio

from chassis.database import Pool
from chassis.streams import Clock
from services.identity.access import attempts, links, sessions

SECONDS = 600


class Sweeper:
    """Sweeps every ten minutes."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(SECONDS)

    async def sweep(self) -> None:
        """Sweeps once."""
        now = self._clock()
        async with self._pool.connection() as connection:
            for sweep in (sessions.sweep, links.sweep, attempts.sweep):
                await sweep(connection, now)
