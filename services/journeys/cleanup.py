"""What is over is removed, a bounded number at a time: drafts that expired, and the bytes of files given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from chassis.database import Pool
from chassis.errors import Unavailable
from chassis.objects import Objects
from chassis.streams import Clock
from services.journeys.files import table
from services.journeys.files.table import FileRow
from services.journeys.submissions.drafts import delete_expired

EVERY_SECONDS = 60
DRAFTS_AT_ONCE = 500
FILES_AT_ONCE = 100
MAXIMUM_FAILURES = 5
"""In one round: the object store is away, or slow; what could not be removed comes last in the next rounds."""

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
                log.warning("not cleaned", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self, now: datetime) -> Cleaned:
        """One round; what is left is done in the next one. Raises Unavailable."""
        async with self.pool.connection() as connection:
            drafts = await delete_expired(connection, now, DRAFTS_AT_ONCE)
            given_up = await table.doom_abandoned(connection, now, FILES_AT_ONCE)
            doomed = await table.doomed(connection, FILES_AT_ONCE)
        gone, failed = await self._delete(doomed)
        async with self.pool.connection() as connection:
            await table.remove(connection, gone)
            await table.postpone(connection, failed, now)
        return Cleaned(drafts, given_up, len(gone))

    async def _delete(self, rows: Sequence[FileRow]) -> tuple[list[str], list[str]]:
        """The ids of files whose bytes are gone, and of those whose bytes could not be removed."""
        gone, failed = list[str](), list[str]()
        for row in rows:
            try:
                await self.objects.delete(row.object)
                gone.append(row.id)
            except Unavailable as error:
                log.warning("file not removed yet", file_id=row.id, error=str(error))
                failed.append(row.id)
                if len(failed) == MAXIMUM_FAILURES:
                    break
        return gone, failed
