"""What the machine can do at best: nothing above is faster than this."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import orjson
import psycopg

from bench.harness import Contender, Figure, Row
from bench.scene import Scene
from bench.workload import ENCODED, change, id_of
from contracts.billing import InstalmentChanged

PAGE_BYTES = 8_192
ONE_BYTE = b"x"


def _rate(seconds: float, work: Callable[[], object]) -> float:
    started, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        work()
        done += 1
    return done / passed


@asynccontextmanager
async def _limits(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    seconds = scene.sizes.seconds / 3
    event = change(id_of(0))
    plain = event.model_dump(mode="json")
    file = scene.folder / "fsync"

    async def fsyncs() -> float:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        try:

            def write() -> None:
                os.pwrite(descriptor, bytes(PAGE_BYTES), 0)
                os.fdatasync(descriptor)

            return _rate(seconds, write)
        finally:
            os.close(descriptor)

    async def once() -> Sequence[float]:
        return [
            await fsyncs(),
            await _round_trips(seconds),
            await _selects(scene, seconds),
            _rate(seconds, event.model_dump_json),
            _rate(seconds, lambda: InstalmentChanged.model_validate_json(ENCODED)),
            _rate(seconds, lambda: orjson.dumps(plain)),
        ]

    yield (Contender("this machine", once),)


async def _round_trips(seconds: float) -> float:
    """A byte to a task of the same loop and back over TCP, one at a time."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while byte := await reader.read(1):
            writer.write(byte)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            writer.write(ONE_BYTE)
            await reader.readexactly(1)
            done += 1
        writer.close()
        await writer.wait_closed()
        return done / passed


async def _selects(scene: Scene, seconds: float) -> float:
    """SELECT 1 by psycopg on one connection, one at a time."""
    async with await psycopg.AsyncConnection.connect(scene.database_url, autocommit=True) as connection:
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            await connection.execute("SELECT 1", prepare=True)
            done += 1
        return done / passed


ROWS = (
    Row(
        "limits",
        "Limits of the machine",
        "one thread, one after the other; the disk is that of the servers",
        (
            Figure("write and fdatasync of 8 KiB", "1/s"),
            Figure("loopback round trip, asyncio", "1/s"),
            Figure("SELECT 1, async psycopg", "1/s"),
            Figure("event to JSON, pydantic", "1/s"),
            Figure("event from JSON, pydantic", "1/s"),
            Figure("dict to JSON, orjson", "1/s"),
        ),
        _limits,
    ),
)
