"""What consumers read: topics that carry a log of ours, proved by its sequences, and topics that others write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from chassis import telemetry
from chassis.bus import ForeignRecord
from chassis.keyring import Sealer
from chassis.log import Connection
from chassis.reactions import Handler
from contracts.envelope import Envelope, MalformedRecord, Record
from contracts.ids import Position


class ForeignHandler(Protocol):
    """Takes records as they come, whoever wrote them, and answers for every one of them itself."""

    name: str

    async def apply(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        """Applies records, those of a partition in order, in the transaction of their checkpoints."""

    async def idle(self, connection: Connection, partitions: Sequence[int]) -> None:
        """Called about every second for partitions at hand, under the same fence and in a transaction."""


def stream_of(record: ForeignRecord) -> str:
    """The key of a record as text that PostgreSQL can store, whatever bytes it has."""
    return (record.key or b"?").decode("utf-8", "backslashreplace").replace("\0", "\\0")[:1_000]


def _position(record: ForeignRecord) -> Position | None:
    for name, value in record.headers:
        if name == "ce_id":
            try:
                position = Position.parse(value.decode())
            except ValueError:
                return None
            return position if position.shard == record.partition else None
    return None


class LogSource:
    """Topics of our services: every record carries a sequence without gaps."""

    gapless = True
    idle_seconds: float | None = None

    def __init__(self, handler: Handler, sealer: Sealer, *, traced: bool = True) -> None:
        self.name = handler.name
        self.topics = tuple(sorted({event.service for event in handler.events}))
        self.durable = handler.durable
        self._handler = handler
        self._sealer = sealer
        self._traced = traced
        self._wanted = {event.type.rpartition(".")[0].encode() for event in handler.events}

    def sequence(self, record: ForeignRecord) -> int | None:
        """The sequence of a record, or None when it does not say one for its partition."""
        position = _position(record)
        return position.sequence if position else None

    def position(self, record: ForeignRecord) -> str | None:
        """The position of a record's event, or None when it does not say one for its partition."""
        position = _position(record)
        return str(position) if position else None

    def stream(self, record: ForeignRecord) -> str:
        return stream_of(record)

    def wants(self, record: ForeignRecord) -> bool:
        """Whether it must be applied; one of an event that the handler does not want is not even looked into."""
        for name, value in record.headers:
            if name == "ce_type":
                return value.rpartition(b".")[0] in self._wanted or _position(record) is None
        return True

    async def prepare(self, connection: Connection) -> None:
        await self._handler.prepare(connection)

    async def apply(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        """Opens the events that the handler wants and hands them over."""
        started_ns = time.time_ns()
        envelopes = await self.open(records)
        if envelopes:
            await self._handler.apply(connection, envelopes)
            if self._traced:
                telemetry.consumed(self.name, envelopes, started_ns)

    async def open(self, records: Sequence[ForeignRecord]) -> list[Envelope]:
        """Loads the records that the handler wants. Raises MalformedRecord or ValueError for what cannot be loaded."""
        wanted = [record for record in records if self.wants(record)]
        parsed = [Record.from_kafka(record.headers, record.value or b"") for record in wanted]
        for record, ours in zip(wanted, parsed, strict=True):
            if ours.position.shard != record.partition:
                raise MalformedRecord(f"{ours.position} does not belong to partition {record.partition}")
        return await self._sealer.open(parsed)

    async def idle(self, connection: Connection, partitions: Sequence[int]) -> None:
        """Nothing happens between batches."""


class ForeignSource:
    """A topic that others write: its offsets order it, and they may have gaps."""

    gapless = False
    durable = True
    idle_seconds: float | None = 1.0

    def __init__(self, topic: str, handler: ForeignHandler) -> None:
        self.name = handler.name
        self.topics = (topic,)
        self._handler = handler

    def sequence(self, record: ForeignRecord) -> int | None:
        return record.offset + 1

    def position(self, record: ForeignRecord) -> str | None:
        """Others' records have none."""
        return None

    def stream(self, record: ForeignRecord) -> str:
        return stream_of(record)

    def wants(self, record: ForeignRecord) -> bool:
        """Every one."""
        return True

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: the tables of a foreign handler come with its service's migrations."""

    async def apply(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        await self._handler.apply(connection, records)

    async def idle(self, connection: Connection, partitions: Sequence[int]) -> None:
        await self._handler.idle(connection, partitions)
