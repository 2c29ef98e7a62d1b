"""What is over is removed, a bounded number at a time: drafts that expired, and the bytes of files given up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog

from chassis.database import Pool
from chassis.errors import Unavailable
from chassis.objects import Objects
from chassis.streams import Clock
from services.journeys.files import table
from services.journeys.submissions.drafts import delete_expired

EVERY_SECONDS = 60
DRAFTS_AT_ONCE = 500
FILES_AT_ONCE = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What one round did."""

    drafts: int
    given_up: int
    removed: int


@dataclass(frozen=True)
class Cleanup:
    """Removes what nobody needs. Several instances at once only do some of it twice."""

    pool: Pool
    objects: Objects
    clock: Clock

    async def run(self) -> None:
        """Cleans for ever."""
        while True:
            try:
                cleaned = await self.once(self.clock())
                if cleaned != Cleaned(0, 0, 0):
                    log.info("cleaned", drafts=cleaned.drafts, files=cleaned.removed)
            except Unavailable as error:
                log.warning("files not removed yet", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self, now: datetime) -> Cleaned:
        """One round. Raises Unavailable when the object store is; what is left is done in the next round."""
        async with self.pool.connection() as connection:
            drafts = await delete_expired(connection, now, DRAFTS_AT_ONCE)
            given_up = await table.doom_abandoned(connection, now, FILES_AT_ONCE)
            doomed = await table.doomed(connection, FILES_AT_ONCE)
        await self.objects.delete([row.object for row in doomed])
        async with self.pool.connection() as connection:
            await table.remove(connection, [row.id for row in doomed])
        return Cleaned(drafts, given_up, len(doomed))
