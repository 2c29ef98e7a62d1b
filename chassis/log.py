"""The port of the event log: what can be appended, loaded and read, whatever stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zlib import crc32

from psycopg import AsyncConnection

from contracts.envelope import Metadata, Record
from contracts.ids import Position

Connection = AsyncConnection[Any]

MAXIMUM_EVENTS_PER_APPEND = 1_000
MAXIMUM_EVENT_BYTES = 512 * 1024
MAXIMUM_STREAM_BYTES = 200


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event encoded for good: type on the wire, the bytes to store, and why it came about."""

    type: str
    data: bytes
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class CommandKey:
    """An Idempotency-Key with the fingerprint of the request that used it first."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Append:
    """The events of one command for one stream, whose version must be `expected` (0 for a new stream)."""

    stream: str
    expected: int
    events: tuple[NewEvent, ...]
    time: datetime
    command: CommandKey | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the last event of a command stands, and the version its stream has then."""

    position: Position
    version: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """The key of this command was used before: what it had appended then."""

    command: CommandKey
    stream: str
    first_version: int
    last_version: int
    position: Position


@dataclass(frozen=True, slots=True)
class Refused:
    """The stream has another version than expected."""

    stream: str
    expected: int
    actual: int


Result = Appended | Repeated | Refused


class EventLog(Protocol):
    """Streams of events in N shards, each shard with a gapless sequence from 1."""

    service: str
    shards: int

    async def append(self, append: Append) -> Result:
        """Stores all events of the command or none of them. Durable when it returns."""

    async def append_all(self, appends: Sequence[Append], connection: Connection | None = None) -> list[Result]:
        """Stores what is accepted, each stream at most once, in one transaction: the given one, or one of its own."""

    async def load(self, streams: Sequence[str], connection: Connection | None = None) -> dict[str, list[Record]]:
        """All events of these streams in the order of their versions; a stream without events is left out.

        With a connection also what its transaction has appended.
        """

    async def command(self, key: str) -> Repeated | None:
        """What the command with this key had appended."""

    async def read(self, shard: int, after: int, limit: int) -> list[Record]:
        """Up to `limit` events of a shard with a sequence above `after`, in order, without gaps."""

    async def heads(self) -> dict[int, int]:
        """The last sequence of every shard."""


def shard_of(stream: str, shards: int) -> int:
    """The shard that a stream belongs to for ever."""
    return crc32(stream.encode()) % shards


def check(append: Append) -> None:
    """Raises ValueError for what no log can take."""
    if not append.events or len(append.events) > MAXIMUM_EVENTS_PER_APPEND:
        raise ValueError(f"{append.stream}: an append holds 1 to {MAXIMUM_EVENTS_PER_APPEND} events")
    if not append.stream or len(append.stream.encode()) > MAXIMUM_STREAM_BYTES:
        raise ValueError(f"a stream's name has 1 to {MAXIMUM_STREAM_BYTES} bytes")
    for event in append.events:
        if len(event.data) > MAXIMUM_EVENT_BYTES:
            raise ValueError(f"{append.stream}: {event.type} is larger than {MAXIMUM_EVENT_BYTES} bytes")


class MemoryLog:
    """The event log in memory, for rules and tests."""

    def __init__(self, service: str, shards: int = 4) -> None:
        self.service = service
        self.shards = shards
        self._shards: dict[int, list[Record]] = {shard: [] for shard in range(shards)}
        self._streams: dict[str, list[Record]] = {}
        self._commands: dict[str, Repeated] = {}

    async def append(self, append: Append) -> Result:
        check(append)
        if append.command and (repeated := self._commands.get(append.command.key)):
            return repeated
        stream = self._streams.setdefault(append.stream, [])
        if len(stream) != append.expected:
            return Refused(append.stream, append.expected, len(stream))
        shard = shard_of(append.stream, self.shards)
        for event in append.events:
            position = Position(self.service, shard, len(self._shards[shard]) + 1)
            version = len(stream) + 1
            record = Record(position, append.stream, version, event.type, append.time, event.metadata, event.data)
            stream.append(record)
            self._shards[shard].append(record)
        last = stream[-1]
        if append.command:
            first = append.expected + 1
            self._commands[append.command.key] = Repeated(
                append.command, append.stream, first, last.version, last.position
            )
        return Appended(last.position, last.version)

    async def append_all(self, appends: Sequence[Append], connection: Connection | None = None) -> list[Result]:
        return [await self.append(append) for append in appends]

    async def load(self, streams: Sequence[str], connection: Connection | None = None) -> dict[str, list[Record]]:
        return {stream: list(records) for stream in streams if (records := self._streams.get(stream))}

    async def command(self, key: str) -> Repeated | None:
        return self._commands.get(key)

    async def read(self, shard: int, after: int, limit: int) -> list[Record]:
        return self._shards[shard][after : after + limit]

    async def heads(self) -> dict[int, int]:
        return {shard: len(records) for shard, records in self._shards.items()}
