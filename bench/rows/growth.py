"""Does it stay as fast when the log is large? The same work on logs of several sizes, in turns."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import psycopg
from psycopg import sql

from bench.harness import Contender, Figure, Measure, Row, side_by_side
from bench.scene import Scene
from bench.workload import AMOUNTS, KIND, METADATA, NEW, Filling, appends, change, fill, id_of
from chassis.database import Pool, open_pool
from chassis.postgres_log import PostgresLog
from chassis.views import ViewHandler, ViewReader
from contracts.envelope import Envelope, Record
from contracts.ids import Position, stream

EVENTS_A_STREAM = 10
WRITERS = 64
READERS = 16
BATCH = 500
AT_LEAST = 0.85
VIEW = replace(AMOUNTS, indexes={"amount": "((doc->>'amount_cents')::bigint), key"})


def _fill_view(url: str, documents: int) -> None:
    """One document per stream, as the view would have it; then PostgreSQL does what it would do later by itself."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (key, doc) SELECT md5('bench' || n)::uuid::text, "
                "jsonb_build_object('amount_cents', n, 'changes', %s::int) FROM generate_series(0, %s - 1) n"
            ).format(sql.Identifier(VIEW.table)),
            (EVENTS_A_STREAM, documents),
            prepare=False,
        )
        connection.execute("VACUUM (ANALYZE)")


async def _contender(scene: Scene, stack: AsyncExitStack, events: int) -> Measure:
    streams = events // EVENTS_A_STREAM
    site = await scene.site(f"growth_{events}")
    url = site.urls["billing"]
    fill(url, Filling(KIND, change(id_of(0)), streams, EVENTS_A_STREAM))
    pool = await stack.enter_async_context(open_pool(url, 12))
    async with pool.connection() as connection:
        await ViewHandler(VIEW).prepare(connection)
    _fill_view(url, streams)
    with psycopg.connect(site.admin_url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")
    log = await PostgresLog.connect("billing", pool)
    seconds = scene.sizes.seconds / 2
    chance, reader = random.Random(events), ViewReader(VIEW, pool)

    def any_id() -> str:
        return id_of(chance.randrange(streams))

    async def append(_: int) -> int:
        await log.append(appends([str(uuid4())], 0, 1)[0])
        return 1

    async def load(_: int) -> int:
        await log.load([stream(KIND, any_id())])
        return 1

    async def query(_: int) -> int:
        await reader.get(any_id())
        await reader.find("(doc->>'amount_cents')::bigint = %s", [chance.randrange(streams)], limit=10)
        return 1

    async def once() -> Sequence[float]:
        return [
            await side_by_side(WRITERS, seconds, append),
            await side_by_side(WRITERS, seconds, load),
            await side_by_side(READERS, seconds, query),
            await side_by_side(1, seconds, _updates(pool, any_id)),
        ]

    return once


def _updates(pool: Pool, any_id: Callable[[], str]) -> Callable[[int], Awaitable[int]]:
    """Batches of events of any documents folded into the view, as a consumer does it."""
    handler, numbers = ViewHandler(VIEW), count(1)

    def envelope() -> Envelope:
        id_ = any_id()
        position = Position("billing", 0, next(numbers))
        name = stream(KIND, id_)
        record = Record(position, name, EVENTS_A_STREAM + 1, NEW.type, datetime.now(UTC), METADATA, NEW.data)
        return Envelope(record, change(id_))

    async def update(_: int) -> int:
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            await handler.apply(connection, [envelope() for _ in range(BATCH)])
        return BATCH

    return update


@asynccontextmanager
async def _growth(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """The largest log is compared with each smaller one."""
    async with AsyncExitStack() as stack:
        sizes = sorted(scene.sizes.growth, reverse=True)
        measures = [await _contender(scene, stack, events) for events in sizes]
        largest, *others = zip(sizes, measures, strict=True)
        yield (
            Contender(f"Portico, {largest[0]:,} events", largest[1]),
            *(Contender(f"itself, {events:,} events", measure, AT_LEAST) for events, measure in others),
        )


ROWS = (
    Row(
        "growth",
        "Growth: the same work on a larger log",
        f"{WRITERS} appends and loads, {READERS} queries at a time, view updates in batches of {BATCH}; "
        f"{EVENTS_A_STREAM} events a stream",
        (Figure("append", "1/s"), Figure("load", "1/s"), Figure("query", "1/s"), Figure("view update", "events/s")),
        _growth,
    ),
)
