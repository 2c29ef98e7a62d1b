"""Where consumers stand: rows that move in the transaction of the effect, and the fence that keeps a second one out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from aiokafka import TopicPartition

from chassis.database import Pool
from chassis.log import Connection

WAIT_SECONDS = 3.0
POLL_SECONDS = 0.02


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

    def moved(self, sequence: int, next_offset: int) -> Checkpoint:
        return replace(self, sequence=sequence, next_offset=next_offset)


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

    async def again(self, topic: str, partition: int, mine: Checkpoint) -> Checkpoint:
        """Where a partition stands that is still ours. Raises Fenced when it is not."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT sequence, next_offset, fence FROM checkpoints "
                "WHERE (consumer, topic, partition, fence) = (%s, %s, %s, %s)",
                (self.consumer, topic, partition, mine.fence),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Fenced(f"{self.consumer}: {topic}/{partition} was taken over")
        self._reached[topic, partition] = row[0]
        return Checkpoint(*row)

    async def begin(
        self, connection: Connection, partition: TopicPartition, mine: Checkpoint, durable: bool, streams: list[str]
    ) -> frozenset[str]:
        """Locks the checkpoint for this transaction and returns which of the streams are parked.

        Raises Fenced when another instance has taken over, Moved when the checkpoint is not where it was left.
        """
        cursor = await connection.execute(
            "SELECT fence, sequence, parked_streams FROM begin_batch(%s, %s, %s, %s, %s)",
            (self.consumer, partition.topic, partition.partition, durable, streams),
            prepare=True,
        )
        row = await cursor.fetchone()
        if row is None or row[0] != mine.fence:
            raise Fenced(f"{self.consumer}: {partition.topic}/{partition.partition} was taken over")
        if row[1] != mine.sequence:
            raise Moved(f"{self.consumer}: {partition.topic}/{partition.partition} was moved to {row[1]}")
        return frozenset(row[2])

    async def save(self, connection: Connection, partition: TopicPartition, now: Checkpoint) -> None:
        """Moves the checkpoint in the transaction of the effect."""
        await connection.execute(
            "UPDATE checkpoints SET sequence = %s, next_offset = %s WHERE (consumer, topic, partition) = (%s, %s, %s)",
            (now.sequence, now.next_offset, self.consumer, partition.topic, partition.partition),
            prepare=True,
        )

    async def committed(self, topic: str, partition: int, now: Checkpoint) -> None:
        """Tells those who wait that the transaction is through."""
        async with self._moved:
            self._reached[topic, partition] = now.sequence
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
