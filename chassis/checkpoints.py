"""Where consumers stand: rows that move in the transaction of the effect, and the fence that keeps a second one out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka import TopicPartition

from chassis import arrays
from chassis.database import Pool
from chassis.log import Connection

WAIT_SECONDS = 3.0
POLL_SECONDS = 0.02

# Each call of begin_batch locks its checkpoint; all transactions take theirs in the same order. Only the last one looks
# for parked streams: what a retry has unparked until all are locked must not be seen as parked.
BEGIN = """
SELECT w.topic, w.partition, b.fence, b.sequence, b.parked_streams
FROM unnest(%b::text[], %b::integer[]) WITH ORDINALITY AS w(topic, partition, place)
CROSS JOIN LATERAL begin_batch(
    %b, w.topic, w.partition, %b, CASE WHEN w.place = %b THEN %b::text[] ELSE '{}' END
) b ORDER BY w.place
"""
SAVE = """
UPDATE checkpoints c SET sequence = n.sequence, next_offset = n.next_offset
FROM unnest(%b::text[], %b::integer[], %b::bigint[], %b::bigint[]) AS n(topic, partition, sequence, next_offset)
WHERE c.consumer = %b AND c.topic = n.topic AND c.partition = n.partition
"""


class Fenced(Exception):
    """Another instance has taken over this partition; what was being applied is rolled back."""


class Moved(Fenced):
    """The partition is still ours, but its checkpoint was moved by a swap of tables; go on from there."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a consumer stands in a partition: last sequence applied, next offset to read, and whose turn it is."""

    sequence: int
    next_offset: int
    fence: int
    unsaved: int = 0
    """By how many sequences the database is behind: events that nobody wants pass without a transaction."""

    @property
    def saved(self) -> int:
        """The sequence that the database holds."""
        return self.sequence - self.unsaved

    def moved(self, sequence: int, next_offset: int) -> Checkpoint:
        """There, also in the database."""
        return replace(self, sequence=sequence, next_offset=next_offset, unsaved=0)

    def passed(self, sequence: int, next_offset: int) -> Checkpoint:
        """There, while the database stays as it is."""
        return replace(self, sequence=sequence, next_offset=next_offset, unsaved=sequence - self.saved)


Claims = Mapping[TopicPartition, Checkpoint]


class Checkpoints:
    """The checkpoints and parked records of one consumer."""

    def __init__(self, consumer: str, pool: Pool) -> None:
        self.consumer = consumer
        self._pool = pool
        self._reached: dict[tuple[str, int], int] = {}
        self._moved = asyncio.Condition()

    async def claim(self, topic: str, partition: int) -> Checkpoint:
        """Takes over a partition: whoever had it before is fenced from now on."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO checkpoints AS c (consumer, topic, partition, fence) VALUES (%s, %s, %s, 1) "
                "ON CONFLICT (consumer, topic, partition) DO UPDATE SET fence = c.fence + 1 "
                "RETURNING sequence, next_offset, fence",
                (self.consumer, topic, partition),
            )
            row = await cursor.fetchone()
        assert row is not None  # noqa: S101 an upsert returns its row
        self._reached[topic, partition] = row[0]
        return Checkpoint(*row)

    async def stored(self) -> dict[TopicPartition, Checkpoint]:
        """What the database holds, also of partitions that others have."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT topic, partition, sequence, next_offset, fence FROM checkpoints WHERE consumer = %s",
                (self.consumer,),
                prepare=True,
            )
            rows = await cursor.fetchall()
        self._reached |= {(topic, partition): sequence for topic, partition, sequence, *_ in rows}
        return {TopicPartition(topic, partition): Checkpoint(*where) for topic, partition, *where in rows}

    async def begin(
        self, connection: Connection, mine: Claims, durable: bool, streams: Sequence[str]
    ) -> frozenset[str]:
        """Locks checkpoints for this transaction and returns which of the streams are parked.

        Raises Fenced when another instance has taken one over, Moved when one is not where it was left.
        """
        partitions = sorted(mine)
        parameters = (*_names(partitions), self.consumer, durable, len(partitions), arrays.texts(streams))
        cursor = await connection.execute(BEGIN, parameters, prepare=True)
        rows = {TopicPartition(topic, partition): row for topic, partition, *row in await cursor.fetchall()}
        for partition in partitions:
            if partition not in rows or rows[partition][0] != mine[partition].fence:
                raise Fenced(f"{self.consumer}: {partition.topic}/{partition.partition} was taken over")
        for partition, (_, sequence, _) in rows.items():
            if sequence != mine[partition].saved:
                raise Moved(f"{self.consumer}: {partition.topic}/{partition.partition} was moved to {sequence}")
        return frozenset(stream for _, _, parked in rows.values() for stream in parked)

    async def save(self, connection: Connection, now: Claims) -> None:
        """Moves checkpoints in the transaction of the effect."""
        places = arrays.longs([c.sequence for c in now.values()]), arrays.longs([c.next_offset for c in now.values()])
        await connection.execute(SAVE, (*_names(list(now)), *places, self.consumer), prepare=True)

    async def committed(self, now: Claims) -> None:
        """Tells those who wait that the transaction is through."""
        async with self._moved:
            self._reached |= {(topic, partition): c.sequence for (topic, partition), c in now.items()}
            self._moved.notify_all()

    async def wait(self, topic: str, partition: int, sequence: int, seconds: float = WAIT_SECONDS) -> bool:
        """Waits, bounded, until a sequence is applied here or by another instance."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._reached.get((topic, partition), 0) < sequence:
            if asyncio.get_running_loop().time() > deadline:
                return False
            try:
                async with asyncio.timeout(POLL_SECONDS), self._moved:
                    await self._moved.wait()
            except TimeoutError:
                await self._look(topic, partition)
        return True

    async def _look(self, topic: str, partition: int) -> None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT sequence FROM checkpoints WHERE (consumer, topic, partition) = (%s, %s, %s)",
                (self.consumer, topic, partition),
                prepare=True,
            )
            row = await cursor.fetchone()
        if row is not None:
            self._reached[topic, partition] = max(row[0], self._reached.get((topic, partition), 0))


def _names(partitions: Sequence[TopicPartition]) -> tuple[arrays.Texts, arrays.Integers]:
    return arrays.texts([p.topic for p in partitions]), arrays.integers([p.partition for p in partitions])
