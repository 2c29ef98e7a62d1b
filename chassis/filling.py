"""Folds the log into the table of a rebuild in memory: a document is written once a stretch, not at each event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiokafka import TopicPartition
from pydantic import BaseModel

from chassis.checkpoints import Checkpoint, Checkpoints
from chassis.database import Pool
from chassis.keyring import Sealer
from chassis.log import Connection, EventLog
from chassis.views import ViewHandler
from contracts.envelope import Record

D = TypeVar("D", bound=BaseModel)

PAGE = 300
"""So few that whoever else the process serves hardly waits."""
MAXIMUM_DOCUMENTS = 30_000
MAXIMUM_EVENTS = 300_000


class Stretch(Generic[D]):
    """What a stretch of the log has made of the documents it touches."""

    def __init__(self, handler: ViewHandler[D], sealer: Sealer) -> None:
        self.events = 0
        self._handler = handler
        self._sealer = sealer
        self._wanted = {event.type.rpartition(".")[0] for event in handler.events}
        self._documents: dict[str, D | None] = {}
        self._loaded: set[str] = set()

    @property
    def is_full(self) -> bool:
        return len(self._documents) >= MAXIMUM_DOCUMENTS or self.events >= MAXIMUM_EVENTS

    async def fold(self, connection: Connection, records: Sequence[Record]) -> None:
        """Folds the next records. Raises whatever a record is wrong with."""
        wanted = [record for record in records if record.type.rpartition(".")[0] in self._wanted]
        envelopes = await self._sealer.open(wanted)
        keys = {key for envelope in envelopes if (key := self._handler.view.key(envelope)) is not None}
        if unknown := sorted(keys - self._documents.keys()):
            found = await self._handler.load(connection, unknown)
            self._loaded |= found.keys()
            self._documents |= {key: found.get(key) for key in unknown}
        self._documents |= self._handler.view.fold(self._documents, envelopes)
        self.events += len(records)

    async def store(self, connection: Connection) -> None:
        """Writes all documents, in a transaction in which they are locked or nobody else writes the table."""
        await self._handler.store(connection, self._documents, self._loaded)


@dataclass(frozen=True)
class Filling:
    """Fills the table of a handler, while nobody else writes it."""

    log: EventLog
    sealer: Sealer
    pool: Pool
    handler: ViewHandler[Any]

    async def shard(self, partition: TopicPartition, claim: Checkpoint, next_offset: int = 0) -> Checkpoint:
        """Folds a shard from a checkpoint to its head, stretch by stretch; returns where it stands then.

        Raises what a record is wrong with, with its stretch undone, and Fenced.
        """
        stretch, at = Stretch(self.handler, self.sealer), claim
        async with aclosing(self._pages(partition.partition, at.sequence)) as pages:
            async for records in pages:
                async with self.pool.connection() as connection:
                    await stretch.fold(connection, records)
                at = at.moved(records[-1].position.sequence, next_offset)
                if stretch.is_full:
                    await self._save(stretch, partition, claim, at)
                    stretch, claim = Stretch(self.handler, self.sealer), at
                await asyncio.sleep(0)
        if stretch.events:
            await self._save(stretch, partition, claim, at)
        return at

    async def _pages(self, shard: int, after: int) -> AsyncGenerator[list[Record]]:
        """Reads each page while the one before is folded."""
        coming = asyncio.create_task(self.log.read(shard, after, PAGE))
        try:
            while records := await coming:
                coming = asyncio.create_task(self.log.read(shard, records[-1].position.sequence, PAGE))
                yield records
        finally:
            coming.cancel()

    async def _save(self, stretch: Stretch[Any], partition: TopicPartition, claim: Checkpoint, now: Checkpoint) -> None:
        checkpoints = Checkpoints(self.handler.name, self.pool)
        async with self.pool.connection() as connection, connection.transaction():
            await checkpoints.begin(connection, {partition: claim}, False, [])
            await stretch.store(connection)
            await checkpoints.save(connection, {partition: now})
