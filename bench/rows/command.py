"""Commands and appends: durable when they return, beside pyeventsourcing, Emmett and raw COPY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from uuid import uuid4

import psycopg
from psycopg import conninfo

from bench.harness import Contender, Figure, Measure, Row, side_by_side
from bench.peers.install import Absent, Peer, emmett, pyeventsourcing
from bench.scene import Scene
from bench.workload import CHANGES, ENCODED, KIND, Filling, appends, change, fill, id_of
from chassis.database import open_pool
from chassis.keyring import PostgresKeyring, Sealer
from chassis.log import Appended
from chassis.postgres_log import PostgresLog
from chassis.streams import Streams

COMMANDS = 64
THREADS = 8
BATCH = 100
BATCH_WRITERS = 8
PEER_CONNECTIONS = 20
POOL = 12
WRITERS = (1, 8, 64, 256)
RAW_CONNECTIONS = 32
RAW_WAIT_SECONDS = 60
RAW_TABLE = "CREATE TABLE IF NOT EXISTS raw_events (id bigserial PRIMARY KEY, stream text, data bytea)"
INSERT = "INSERT INTO raw_events (stream, data) VALUES (%b, %b)"
COPY = "COPY raw_events (stream, data) FROM STDIN (FORMAT binary)"


def peer(
    name: str, find: Callable[[bool], Peer], scene: Scene, at_least: float | None, measure: Callable[[Peer], Measure]
) -> Contender:
    """A peer where it can be run, otherwise the reason why not."""
    try:
        return Contender(name, measure(find(scene.install)), at_least)
    except Absent as absent:
        return Contender(name, None, at_least, missing=str(absent))


def postgres_environment(url: str) -> dict[str, str]:
    """How pyeventsourcing is told its database."""
    parts = conninfo.conninfo_to_dict(url)
    names = {"dbname": "DBNAME", "host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        **{f"POSTGRES_{theirs}": str(parts[ours]) for ours, theirs in names.items()},
        "POSTGRES_POOL_SIZE": str(THREADS),
    }


def _pyeventsourcing(scene: Scene, measure: str, at_least: float) -> Contender:
    environment = postgres_environment(scene.database("pyeventsourcing"))
    streams = min(scene.sizes.streams, 4_000)
    options = ("--threads", str(THREADS), "--seconds", str(scene.sizes.seconds), "--streams", str(streams))

    def measured(found: Peer) -> Measure:
        async def once() -> Sequence[float]:
            return (await found.rate((measure, *options), environment),)

        return once

    return peer(f"pyeventsourcing, {THREADS} threads", pyeventsourcing, scene, at_least, measured)


def _emmett(scene: Scene, measure: str, concurrency: int, at_least: float | None) -> Contender:
    url = scene.database("emmett")
    options = (
        *("--url", url, "--seconds", str(scene.sizes.seconds), "--concurrency", str(concurrency)),
        *("--streams", str(min(scene.sizes.streams, 4_000)), "--connections", str(PEER_CONNECTIONS)),
    )

    def measured(found: Peer) -> Measure:
        async def once() -> Sequence[float]:
            return (await found.rate((measure, *options)),)

        return once

    return peer(f"Emmett, {concurrency} promises", emmett, scene, at_least, measured)


@asynccontextmanager
async def _commands(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """Every contender begins a round with new streams of one event each."""
    site = await scene.site("command")
    url, streams = site.urls["billing"], scene.sizes.streams
    async with open_pool(url, POOL) as pool:
        log = await PostgresLog.connect("billing", pool)
        executor = Streams(log, Sealer(PostgresKeyring(pool, site.shared.master_key_bytes)))
        rounds = count()

        async def ours() -> Sequence[float]:
            first = next(rounds) * streams
            fill(url, Filling(KIND, change(id_of(0)), streams, first=first))
            turns = list(range(COMMANDS))

            async def work(worker: int) -> int:
                id_ = id_of(first + turns[worker] % streams)
                turns[worker] += COMMANDS
                await executor.execute(CHANGES, id_, change(id_))
                return 1

            return (await side_by_side(COMMANDS, scene.sizes.seconds, work),)

        yield (
            Contender("Portico", ours),
            _pyeventsourcing(scene, "command", 10),
            _emmett(scene, "command", COMMANDS, 4),
        )


@asynccontextmanager
async def _batches(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    site = await scene.site("batch")
    url = site.urls["billing"]
    async with open_pool(url, POOL) as pool:
        log = await PostgresLog.connect("billing", pool)

        async def work(_: int) -> int:
            (result,) = [await log.append(append) for append in appends([str(uuid4())], 0, BATCH)]
            if not isinstance(result, Appended):
                raise RuntimeError("a new stream has no conflict")
            return BATCH

        async def ours() -> Sequence[float]:
            return (await side_by_side(BATCH_WRITERS, scene.sizes.seconds, work),)

        yield (
            Contender("Portico", ours),
            _pyeventsourcing(scene, "batch", 3),
            _emmett(scene, "batch", BATCH_WRITERS, None),
            Contender("raw psycopg COPY", _raw_copy(scene, url)),
        )


def _appending(writers: int) -> Callable[[Scene], AbstractAsyncContextManager[Sequence[Contender]]]:
    """Single events by so many writers, beside the same by plain INSERTs over as many connections as serve them."""

    @asynccontextmanager
    async def compare(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
        site = await scene.site(f"append{writers}")
        url = site.urls["billing"]
        async with open_pool(url, POOL) as ours, open_pool(url, max(2, min(writers, RAW_CONNECTIONS))) as theirs:
            log = await PostgresLog.connect("billing", ours)
            async with theirs.connection() as connection:
                await connection.execute(RAW_TABLE)

            async def append(_: int) -> int:
                (result,) = [await log.append(one) for one in appends([str(uuid4())], 0, 1)]
                return int(isinstance(result, Appended))

            async def insert(_: int) -> int:
                async with theirs.connection(RAW_WAIT_SECONDS) as connection:
                    await connection.execute(INSERT, (str(uuid4()), ENCODED), prepare=True)
                return 1

            yield (
                Contender("Portico", _rate(writers, scene, append)),
                Contender("raw psycopg INSERT", _rate(writers, scene, insert)),
            )

    return compare


def _rate(workers: int, scene: Scene, work: Callable[[int], Awaitable[int]]) -> Measure:
    async def once() -> Sequence[float]:
        return (await side_by_side(workers, scene.sizes.seconds, work),)

    return once


def _raw_copy(scene: Scene, url: str) -> Measure:
    """The same bytes in the same batches and transactions, into a table with one key."""

    async def raw() -> Sequence[float]:
        connections = [await psycopg.AsyncConnection.connect(url) for _ in range(BATCH_WRITERS)]
        await connections[0].execute(RAW_TABLE)
        await connections[0].commit()

        async def work(worker: int) -> int:
            stream, connection = str(uuid4()), connections[worker]
            async with connection.cursor().copy(COPY) as copy:
                copy.set_types(["text", "bytea"])
                for _ in range(BATCH):
                    await copy.write_row((stream, ENCODED))
            await connection.commit()
            return BATCH

        rate = await side_by_side(BATCH_WRITERS, scene.sizes.seconds, work)
        await asyncio.gather(*(connection.close() for connection in connections))
        return (rate,)

    return raw


ROWS = (
    *(
        Row(
            f"append{writers}",
            f"Append, {writers} writer{'s' if writers > 1 else ''}",
            "one event of 250 B each, a new stream each, encoded before, durable when it returns",
            (Figure("events", "1/s"),),
            _appending(writers),
        )
        for writers in WRITERS
    ),
    Row(
        "command",
        "Command: load, decide, append",
        f"{COMMANDS} at a time, each on a stream that exists, one event of 250 B, durable when it returns",
        (Figure("commands", "1/s"),),
        _commands,
    ),
    Row(
        "batch",
        "Append in batches of 100",
        f"{BATCH_WRITERS} at a time, each batch a new stream, encoded before, durable when it returns",
        (Figure("events", "1/s"),),
        _batches,
    ),
)
