"""Where a history is read from: page by page out of a service's log, or from its topic, which others keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from aiokafka import TopicPartition
from psycopg import AsyncConnection, sql

from chassis.seals import EPOCH, MICROSECOND, link
from cli.events.reading import SILENCE_SECONDS, Reader
from cli.events.seen import see
from cli.problem import Problem
from contracts.envelope import Record
from contracts.ids import Position

PAGE = 1_000
POLL_MS = 500
LOWEST = -(2**63)
NO_TIME = LOWEST

COLUMNS = """
SELECT sequence, stream, version, type,
       CASE WHEN isfinite(time) THEN (extract(epoch FROM time) * 1000000)::bigint ELSE %s END, metadata, data
FROM events WHERE shard = %s AND sequence BETWEEN %s AND %s ORDER BY sequence LIMIT %s
"""
SHARDS = """
SELECT h.shard, h.sequence, coalesce(c.sequence, 0),
       coalesce((SELECT max(sequence) FROM events WHERE shard = h.shard), 0)
FROM heads h LEFT JOIN relay_cursors c USING (shard) ORDER BY h.shard
"""
SEALS = "SELECT shard, first, last, seal, signature, sealed_at FROM seals ORDER BY shard, first"
SPAN = """
SELECT min(sequence), max(sequence) FROM events WHERE shard = %s
AND time >= coalesce(%s, '-infinity'::timestamptz) AND time < coalesce(%s, 'infinity'::timestamptz)
"""
STRAY = """
SELECT shard, sequence FROM events WHERE shard < 0 OR shard > (SELECT max(shard) FROM heads) ORDER BY 1, 2 LIMIT 1
"""
BROKEN_STREAMS = """
SELECT shard, min(sequence) FROM (
    SELECT shard, sequence, version, lag(version, 1, 0) OVER stream AS before,
           lag(sequence) OVER stream AS earlier, lag(shard) OVER stream AS home
    FROM events WINDOW stream AS (PARTITION BY stream ORDER BY version)
) e WHERE version <> before + 1 OR sequence <= earlier OR shard <> home GROUP BY shard
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event exactly as it is stored: time in microseconds since 1970, metadata as the text it is."""

    sequence: int
    stream: str
    version: int
    type: str
    microseconds: int
    metadata: str
    data: bytes

    @classmethod
    def of(cls, record: Record) -> Stored:
        """What the log held when this record was published."""
        time = record.time if record.time.tzinfo else record.time.replace(tzinfo=UTC)
        microseconds = (time - EPOCH) // MICROSECOND
        return cls(
            record.position.sequence,
            record.stream,
            record.version,
            record.type,
            microseconds,
            record.metadata.to_json(),
            record.data,
        )

    @property
    def content(self) -> tuple[str, int, str, int, str, bytes]:
        """Everything but the place."""
        return self.stream, self.version, self.type, self.microseconds, self.metadata, self.data

    def after(self, before: bytes) -> bytes:
        """The link of this event."""
        return link(
            before,
            self.sequence,
            self.version,
            self.microseconds,
            self.stream.encode(),
            self.type.encode(),
            self.metadata.encode(),
            self.data,
        )


@dataclass(frozen=True, slots=True)
class Shard:
    """What the log says about a shard: its head, what the relay has published, and where its events really end."""

    number: int
    head: int
    cursor: int
    end: int


@asynccontextmanager
async def open_log(service: str, url: str) -> AsyncIterator[LogHistory]:
    """The log of a service, for reading only. Raises a Problem when it cannot be read."""
    try:
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
            await connection.execute("SET default_transaction_read_only = on")
            await connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(service)))
            yield LogHistory(service, connection)
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise Problem(f"The log of {service} cannot be read: {reason}", "Look at `portico status`.") from error


class LogHistory:
    """A log in PostgreSQL."""

    def __init__(self, service: str, connection: AsyncConnection[Any]) -> None:
        self.service = service
        self._connection = connection

    async def shards(self) -> list[Shard]:
        return [Shard(*row) for row in await self._rows(SHARDS)]

    async def read(self, shard: int, first: int, last: int, limit: int = PAGE) -> list[Stored]:
        """Up to `limit` events from a sequence to another, in order."""
        return [Stored(*row) for row in await self._rows(COLUMNS, (NO_TIME, shard, first, last, limit))]

    async def pages(self, shard: Shard, first: int = LOWEST) -> AsyncIterator[list[Stored]]:
        """All events of a shard up to its end."""
        while page := await self.read(shard.number, first, shard.end):
            yield page
            first = page[-1].sequence + 1

    async def seals(self) -> AsyncIterator[list[tuple[Any, ...]]]:
        """The rows of the seals table: shard, first, last, seal, signature, sealed_at."""
        async with self._connection.transaction(), self._connection.cursor("seals") as cursor:
            await cursor.execute(SEALS)
            while rows := await cursor.fetchmany(PAGE):
                yield rows

    async def span(self, shard: int, since: datetime | None, until: datetime | None) -> tuple[int, int] | None:
        """The first and last sequence of a period; none when nothing happened in it."""
        ((first, last),) = await self._rows(SPAN, (shard, since, until))
        return (first, last) if first is not None else None

    async def stray(self) -> tuple[int, int] | None:
        """Shard and sequence of an event in a shard that does not exist."""
        rows = await self._rows(STRAY)
        return rows[0] if rows else None

    async def broken_streams(self) -> dict[int, int]:
        """By shard: the first sequence whose stream does not count its versions 1, 2, 3, ... in one shard."""
        return dict(await self._rows(BROKEN_STREAMS))

    async def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await (await self._connection.execute(statement, parameters)).fetchall()


class TopicHistory:
    """The same history as it was published."""

    def __init__(self, service: str, reader: Reader) -> None:
        self.service = service
        self._reader = reader
        self._partitions = {one.partition: one for one in reader.partitions}

    async def shards(self) -> list[Shard]:
        """One for each partition; `head` is the number of records to read, for want of anything better."""
        ends, starts = await self._reader.ends(), await self._reader.beginnings()
        return [Shard(number, ends[one] - starts[one], 0, ends[one]) for number, one in self._partitions.items()]

    async def pages(self, shard: Shard) -> AsyncIterator[list[Stored]]:
        """Every event once, in the order of the topic; what a relay repeated or is no event is left out."""
        last = 0
        partition = self._partitions[shard.number]
        start = (await self._reader.beginnings())[partition]
        async for records in self._records(partition, start, shard.end):
            page: list[Stored] = []
            for stored in records:
                if stored.sequence > last:
                    page.append(stored)
                    last = stored.sequence
            if page:
                yield page

    async def between(self, shard: int, first: int, last: int) -> dict[int, Stored]:
        """Events by sequence, as far as the topic still has them; of repetitions the oldest."""
        partition = self._partitions.get(shard)
        if partition is None:
            return {}
        try:
            start = (await self._reader.find(Position(self.service, shard, first))).offset
        except Problem:
            return {}
        found: dict[int, Stored] = {}
        async for records in self._records(partition, start, (await self._reader.ends())[partition]):
            for stored in records:
                if first <= stored.sequence <= last:
                    found.setdefault(stored.sequence, stored)
            if len(found) > last - first or (records and records[-1].sequence > last):
                break
        return found

    async def _records(self, partition: TopicPartition, start: int, end: int) -> AsyncIterator[list[Stored]]:
        async for records in raw_records(self._reader, {partition: start}, {partition: end}):
            seen = [see(record) for record in records]
            yield [Stored.of(one.record) for one in seen if one.record]


async def raw_records(
    reader: Reader, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[list[Any]]:
    """The records of partitions between offsets, in batches of one partition each."""
    waiting = {partition for partition, start in starts.items() if start < ends[partition]}
    if not waiting:
        return
    reader.consumer.assign(list(waiting))
    for partition in waiting:
        reader.consumer.seek(partition, starts[partition])
    while waiting:
        async with asyncio.timeout(SILENCE_SECONDS):
            fetched: dict[TopicPartition, list[Any]] = {}
            while not fetched and waiting:
                fetched = await reader.consumer.getmany(*waiting, timeout_ms=POLL_MS, max_records=PAGE)
                waiting = {one for one in waiting if await reader.consumer.position(one) < ends[one]}
        for partition, records in fetched.items():
            yield [record for record in records if record.offset < ends[partition]]
