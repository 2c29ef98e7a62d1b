"""The event log in PostgreSQL: concurrent commands are appended by one call, loads likewise."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from chassis import arrays
from chassis.errors import Unavailable
from chassis.failpoints import Point, reach
from chassis.grouping import Grouped
from chassis.log import Append, Appended, Connection, Refused, Repeated, Result, check, shard_of
from chassis.log import CommandKey as Key
from contracts.envelope import Metadata, Record
from contracts.ids import Position

LANES = 2
GROUP_COMMANDS = 256
GROUP_EVENTS = 2_000
WAITING = 20_000
CONNECT_SECONDS = 10

APPEND = """
SELECT status, last_sequence, stream_version FROM append_events(
    %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)
"""
COLUMNS = "shard, sequence, stream, version, type, time, metadata, data"
LOAD = f"SELECT {COLUMNS} FROM events WHERE stream = ANY(%b::text[]) ORDER BY stream, version"  # noqa: S608
PAGES = f"""
SELECT page.* FROM unnest(%b::smallint[], %b::bigint[]) AS at (shard, sequence) CROSS JOIN LATERAL (
    SELECT {COLUMNS} FROM events WHERE shard = at.shard AND sequence > at.sequence ORDER BY sequence LIMIT %b
) AS page
"""  # noqa: S608
COMMAND = """
SELECT key, fingerprint, stream, first_version, last_version, shard, sequence FROM commands WHERE key = %b
"""


@dataclass
class _Waiting:
    """Commands that wait for the call under way to end. A lane serves some of the shards, all of them by itself."""

    queue: deque[tuple[Append, asyncio.Future[Result]]] = field(default_factory=deque)
    draining: bool = False


class PostgresLog:
    """The event log of one service; its tables are found by the role's search_path."""

    def __init__(self, service: str, pool: AsyncConnectionPool[Any], shards: int) -> None:
        self.service = service
        self.shards = shards
        self.appended: Callable[[set[int]], None] = lambda _: None
        self._pool = pool
        self._lanes = [_Waiting() for _ in range(min(LANES, shards))]
        self._streams = Grouped(self._fetch)
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(cls, service: str, pool: AsyncConnectionPool[Any]) -> PostgresLog:
        """Opens the log with as many shards as it was created with."""
        async with pool.connection(CONNECT_SECONDS) as connection:
            row = await (await connection.execute("SELECT count(*) FROM heads")).fetchone()
        return cls(service, pool, row[0] if row else 0)

    async def append(self, append: Append) -> Result:
        check(append)
        waiting = self._lanes[shard_of(append.stream, self.shards) % len(self._lanes)]
        if len(waiting.queue) >= WAITING:
            raise Unavailable(f"more than {WAITING} commands wait for the event log")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting.queue.append((append, future))
        if not waiting.draining:
            waiting.draining = True
            self._spawn(self._drain(waiting))
        return await future

    async def append_all(self, appends: Sequence[Append], connection: Connection | None = None) -> list[Result]:
        for append in appends:
            check(append)
        if connection is not None:
            return await self._append(connection, appends)
        async with self._pool.connection(CONNECT_SECONDS) as own:
            results = await self._append(own, appends)
        self._tell(results)
        return results

    async def load(self, streams: Sequence[str], connection: Connection | None = None) -> dict[str, list[Record]]:
        if connection is None:
            return await self._streams.load(streams)
        return await self._select(connection, streams)

    async def command(self, key: str) -> Repeated | None:
        async with self._pool.connection(CONNECT_SECONDS) as connection:
            row = await (await connection.execute(COMMAND, (key,), prepare=True)).fetchone()
        return self._repeated(row) if row else None

    async def read(self, shard: int, after: int, limit: int) -> list[Record]:
        return (await self.pages({shard: after}, limit)).get(shard, [])

    async def pages(self, after: Mapping[int, int], limit: int) -> dict[int, list[Record]]:
        """Of several shards at once what `read` would say of each; one that has nothing new is left out."""
        parameters = (arrays.shorts(list(after)), arrays.longs(list(after.values())), limit)
        async with self._pool.connection(CONNECT_SECONDS) as connection:
            cursor = connection.cursor(binary=True)
            rows = await (await cursor.execute(PAGES, parameters, prepare=True)).fetchall()
        found: dict[int, list[Record]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(self._record(row))
        return found

    async def heads(self) -> dict[int, int]:
        async with self._pool.connection(CONNECT_SECONDS) as connection:
            rows = await (await connection.execute("SELECT shard, sequence FROM heads")).fetchall()
        return dict(rows)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, waiting: _Waiting) -> None:
        try:
            await asyncio.sleep(0)
            while waiting.queue:
                group = _take(waiting.queue)
                if group:
                    await self._append_group(group)
        finally:
            waiting.draining = False

    async def _append_group(self, group: list[tuple[Append, asyncio.Future[Result]]]) -> None:
        try:
            async with self._pool.connection(CONNECT_SECONDS) as connection:
                await reach(Point.LOG_BEFORE_APPEND)
                results = await self._append(connection, [append for append, _ in group])
            await reach(Point.LOG_AFTER_APPEND)
        except Exception as error:
            _fail([future for _, future in group], error)
            return
        self._tell(results)
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _tell(self, results: Sequence[Result]) -> None:
        self.appended({result.position.shard for result in results if isinstance(result, Appended)})

    async def _append(self, connection: Connection, appends: Sequence[Append]) -> list[Result]:
        """One call for all of them."""
        shards = [shard_of(append.stream, self.shards) for append in appends]
        events = [event for append in appends for event in append.events]
        counts = [len(append.events) for append in appends]
        keys = [append.command for append in appends]
        parameters = (
            arrays.shorts(shards),
            arrays.texts([append.stream for append in appends]),
            arrays.integers([append.expected for append in appends]),
            arrays.integers(counts),
            arrays.times([append.time for append in appends]),
            arrays.texts([key.key if key else None for key in keys]),
            arrays.texts([key.fingerprint if key else None for key in keys]),
            arrays.integers([item for item, count in enumerate(counts, 1) for _ in range(count)]),
            arrays.integers([place for count in counts for place in range(1, count + 1)]),
            arrays.texts([event.type for event in events]),
            arrays.texts([event.metadata.to_json() for event in events]),
            arrays.byteas([event.data for event in events]),
        )
        cursor = connection.cursor(binary=True)
        rows = await (await cursor.execute(APPEND, parameters, prepare=True)).fetchall()
        return [
            Appended(Position(self.service, shard, row[1]), row[2])
            if row[0] == "appended"
            else await self._not_appended(connection, append, row)
            for append, shard, row in zip(appends, shards, rows, strict=True)
        ]

    async def _not_appended(self, connection: Connection, append: Append, row: TupleRow) -> Result:
        status, _, version = row
        if status == "repeated" and append.command:
            found = await (await connection.execute(COMMAND, (append.command.key,), prepare=True)).fetchone()
            if found is not None:
                return self._repeated(found)
        return Refused(append.stream, append.expected, version)

    def _repeated(self, row: TupleRow) -> Repeated:
        name, fingerprint, stream, first, last, shard, sequence = row
        return Repeated(Key(name, fingerprint), stream, first, last, Position(self.service, shard, sequence))

    async def _fetch(self, streams: list[str]) -> dict[str, list[Record]]:
        async with self._pool.connection(CONNECT_SECONDS) as connection:
            return await self._select(connection, streams)

    async def _select(self, connection: Connection, streams: Sequence[str]) -> dict[str, list[Record]]:
        cursor = connection.cursor(binary=True)
        rows = await (await cursor.execute(LOAD, (arrays.texts(streams),), prepare=True)).fetchall()
        found: dict[str, list[Record]] = {}
        for row in rows:
            found.setdefault(row[2], []).append(self._record(row))
        return found

    def _record(self, row: TupleRow) -> Record:
        shard, sequence, stream, version, type_, time, metadata, data = row
        position = Position(self.service, shard, sequence)
        return Record(position, stream, version, type_, time, Metadata.from_mapping(orjson.loads(metadata)), data)


def _take(queue: deque[tuple[Append, asyncio.Future[Result]]]) -> list[tuple[Append, asyncio.Future[Result]]]:
    """The next group: in order, at most one command a stream; the rest keeps its place."""
    group: list[tuple[Append, asyncio.Future[Result]]] = []
    streams: set[str] = set()
    later: list[tuple[Append, asyncio.Future[Result]]] = []
    events = 0
    while queue and len(group) < GROUP_COMMANDS and events < GROUP_EVENTS:
        append, future = queue.popleft()
        if future.done():
            continue
        if append.stream in streams:
            later.append((append, future))
            continue
        streams.add(append.stream)
        events += len(append.events)
        group.append((append, future))
    queue.extendleft(reversed(later))
    return group


def _fail(futures: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
