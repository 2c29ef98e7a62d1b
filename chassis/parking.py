"""Records that could not be applied, and those of the same stream behind them, until an operator decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Json

from chassis.bus import ForeignRecord
from chassis.database import Pool
from chassis.log import Connection

MAXIMUM_LISTED = 1_000
MAXIMUM_RETRIED = 1_000
MAXIMUM_STREAMS = 100


@dataclass(frozen=True, slots=True)
class Parked:
    """A record put aside. `position` is that of its event, or where it stands when it is no event of ours."""

    id: int
    position: str
    record: ForeignRecord


class Parking:
    """The parked records of one consumer. `decided_for` is the consumer whose given up events it leaves out too."""

    def __init__(self, consumer: str, pool: Pool, decided_for: str = "") -> None:
        self.consumer = consumer
        self._decided_for = decided_for or consumer
        self._pool = pool

    async def park(
        self,
        connection: Connection,
        records: Iterable[tuple[str, str | None, ForeignRecord]],
        errors: Mapping[str, str],
    ) -> None:
        """Puts records, each with its stream and position, aside with the error of their stream, in order."""
        rows = [
            (
                *(self.consumer, record.topic, record.partition, record.offset, position, _type(record), stream),
                *(errors.get(stream, "behind a parked event"), record.key, record.value),
                *(Json(_texts(record)), record.timestamp),
            )
            for stream, position, record in records
        ]
        if rows:
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO parked (consumer, topic, partition, record_offset, position, type, stream, error, "
                    "key, value, headers, timestamp_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
                    "ON CONFLICT DO NOTHING",
                    rows,
                )

    async def listed(self) -> list[dict[str, Any]]:
        """Parked streams with the event that failed, its error, and how many records wait; the oldest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT p.stream, f.count, f.since, p.error, p.record_offset, "
                "coalesce(p.position, p.topic || '/' || p.partition || '@' || p.record_offset), p.type "
                "FROM (SELECT min(id) AS id, count(*) AS count, min(parked_at) AS since FROM parked "
                "WHERE consumer = %s GROUP BY stream ORDER BY min(id) LIMIT %s) f JOIN parked p USING (id) ORDER BY id",
                (self.consumer, MAXIMUM_LISTED),
            )
            rows = await cursor.fetchall()
        return [
            {"consumer": self.consumer, "stream": stream, "count": count, "since": since.isoformat(), "error": error}
            | {"position": position, "type": type_, "offset": offset}
            for stream, count, since, error, offset, position, type_ in rows
        ]

    async def count(self) -> int:
        """How many streams are parked."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(DISTINCT stream) FROM parked WHERE consumer = %s", (self.consumer,)
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def streams(self, after: int) -> list[tuple[int, str]]:
        """Some parked streams, the longest waiting first, each with a number to go on after."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT min(id), stream FROM parked WHERE consumer = %s GROUP BY stream HAVING min(id) > %s "
                "ORDER BY min(id) LIMIT %s",
                (self.consumer, after, MAXIMUM_STREAMS),
            )
            return [(number, stream) for number, stream in await cursor.fetchall()]

    async def of_stream(self, connection: Connection, stream: str) -> list[Parked]:
        """The parked records of a stream in order; their partitions' checkpoints stay locked in this transaction."""
        await connection.execute(
            "SELECT FROM checkpoints c WHERE c.consumer = %s AND (c.topic, c.partition) IN "
            "(SELECT p.topic, p.partition FROM parked p WHERE p.consumer = %s AND p.stream = %s) "
            "ORDER BY topic, partition FOR UPDATE",
            (self.consumer, self.consumer, stream),
        )
        cursor = await connection.execute(
            "SELECT id, coalesce(position, topic || '/' || partition || '@' || record_offset), "
            "topic, partition, record_offset, key, value, headers, timestamp_ms FROM parked "
            "WHERE consumer = %s AND stream = %s ORDER BY id LIMIT %s",
            (self.consumer, stream, MAXIMUM_RETRIED),
        )
        return [
            Parked(id_, position, ForeignRecord(topic, partition, offset, key, value, _headers(texts), at))
            for id_, position, topic, partition, offset, key, value, texts, at in await cursor.fetchall()
        ]

    async def blame(self, connection: Connection, parked: Parked, error: str) -> None:
        """Notes why a parked record failed once more."""
        await connection.execute("UPDATE parked SET error = %s WHERE id = %s", (error, parked.id))

    async def forget(self, connection: Connection, parked: Sequence[Parked]) -> None:
        """Removes records that were applied."""
        await connection.execute("DELETE FROM parked WHERE id = ANY(%s)", ([one.id for one in parked],))

    async def give_up(self, connection: Connection, parked: Parked, actor: str | None) -> None:
        """Removes a record that will never be applied; who decided so is kept."""
        await connection.execute(
            "WITH gone AS (DELETE FROM parked WHERE id = %s RETURNING stream, type, error) "
            "INSERT INTO dropped (consumer, position, stream, type, error, actor) "
            "SELECT %s, %s, stream, type, error, %s FROM gone ON CONFLICT DO NOTHING",
            (parked.id, self.consumer, parked.position, actor),
        )

    async def is_given_up(self, connection: Connection, position: str | None) -> bool:
        """Whether an operator gave this event up before, so that a rebuild does not stumble over it again."""
        if position is None:
            return False
        cursor = await connection.execute(
            "SELECT FROM dropped WHERE (consumer, position) = (%s, %s)", (self._decided_for, position)
        )
        return await cursor.fetchone() is not None


def _texts(record: ForeignRecord) -> list[list[str]]:
    return [[name, value.decode("utf-8", "replace").replace("\0", "\ufffd")] for name, value in record.headers]


def _headers(texts: list[list[str]]) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in texts]


def _type(record: ForeignRecord) -> str | None:
    return next((text[:200] for name, text in _texts(record) if name == "ce_type"), None)
