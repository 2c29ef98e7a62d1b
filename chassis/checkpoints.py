"""Where consumers stand: rows that move in the transaction of the effect, and the fence that keeps a second one out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition
from psycopg.types.json import Json

from chassis.bus import ForeignRecord
from chassis.database import Pool
from chassis.log import Connection

WAIT_SECONDS = 3.0
POLL_SECONDS = 0.02
MAXIMUM_LISTED = 1_000


class Fenced(Exception):
    """Another instance has taken over this partition; what was being applied is rolled back."""


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

    async def begin(
        self, connection: Connection, partition: TopicPartition, mine: Checkpoint, durable: bool, streams: list[str]
    ) -> frozenset[str]:
        """Locks the checkpoint for this transaction and returns which of the streams are parked. Raises Fenced."""
        cursor = await connection.execute(
            "SELECT fence, sequence, parked_streams FROM begin_batch(%s, %s, %s, %s, %s)",
            (self.consumer, partition.topic, partition.partition, durable, streams),
            prepare=True,
        )
        row = await cursor.fetchone()
        if row is None or (row[0], row[1]) != (mine.fence, mine.sequence):
            raise Fenced(f"{self.consumer}: {partition.topic}/{partition.partition} was taken over")
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

    async def park(
        self, connection: Connection, records: Iterable[tuple[str, ForeignRecord]], errors: Mapping[str, str]
    ) -> None:
        """Puts records aside with the error of their stream, in order."""
        for stream, record in records:
            headers = [
                [name, value.decode("utf-8", "replace").replace("\0", "\ufffd")] for name, value in record.headers
            ]
            await connection.execute(
                "INSERT INTO parked (consumer, topic, partition, record_offset, stream, error, key, value, headers, "
                "timestamp_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    *(self.consumer, record.topic, record.partition, record.offset),
                    *(stream, errors.get(stream, "behind a parked event"), record.key, record.value),
                    *(Json(headers), record.timestamp),
                ),
            )

    async def parked(self) -> list[dict[str, Any]]:
        """Parked streams with their first error and how many records wait, the longest waiting first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT stream, count(*), min(parked_at), "
                "(array_agg(error ORDER BY record_offset))[1], min(record_offset) "
                "FROM parked WHERE consumer = %s GROUP BY stream ORDER BY min(parked_at) LIMIT %s",
                (self.consumer, MAXIMUM_LISTED),
            )
            rows = await cursor.fetchall()
        return [
            {"consumer": self.consumer, "stream": s, "count": n, "since": at.isoformat(), "error": error, "offset": o}
            for s, n, at, error, o in rows
        ]

    async def unpark(self, connection: Connection, stream: str) -> list[ForeignRecord]:
        """The parked records of a stream in order; their partitions' checkpoints stay locked in this transaction."""
        await connection.execute(
            "SELECT FROM checkpoints c WHERE c.consumer = %s AND (c.topic, c.partition) IN "
            "(SELECT p.topic, p.partition FROM parked p WHERE p.consumer = %s AND p.stream = %s) FOR UPDATE",
            (self.consumer, self.consumer, stream),
        )
        cursor = await connection.execute(
            "SELECT topic, partition, record_offset, key, value, headers, timestamp_ms FROM parked "
            "WHERE consumer = %s AND stream = %s ORDER BY topic, partition, record_offset LIMIT %s",
            (self.consumer, stream, MAXIMUM_LISTED),
        )
        return [
            ForeignRecord(topic, partition, offset, key, value, [(n, v.encode()) for n, v in headers], at)
            for topic, partition, offset, key, value, headers, at in await cursor.fetchall()
        ]

    async def blame(self, connection: Connection, record: ForeignRecord, error: str) -> None:
        """Notes why a parked record failed once more."""
        await connection.execute(
            "UPDATE parked SET error = %s WHERE (consumer, topic, partition, record_offset) = (%s, %s, %s, %s)",
            (error, self.consumer, record.topic, record.partition, record.offset),
        )

    async def forget(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        """Removes records from the parked ones."""
        for record in records:
            await connection.execute(
                "DELETE FROM parked WHERE (consumer, topic, partition, record_offset) = (%s, %s, %s, %s)",
                (self.consumer, record.topic, record.partition, record.offset),
            )
