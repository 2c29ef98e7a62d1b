"""PostgreSQL and Kafka of a test's own, to be killed, stopped and started again on the same data; and a proxy."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from chassis.testing import eventually
from cli.stack import kafka, postgres
from cli.stack.ports import HOST, free_port, free_ports
from cli.stack.programs import Program, spawn, stop

READY_SECONDS = 60.0
PASSWORD = "postgres-secret"
#: A broker that was killed may come back when its controller no longer hears of its former life.
KAFKA_SETTINGS = {"broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300"}


@dataclass
class Server:
    """A server that can be ended in whatever way and started again."""

    program: Program
    process: subprocess.Popen[bytes]
    address: str

    def kill(self) -> None:
        """SIGKILL for the server and all that it started."""
        family = self._family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, 10)
        self.process.wait(10)

    def stop(self) -> None:
        stop(self.process, self.program)

    def pause(self) -> None:
        """It stands still: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def start(self) -> None:
        self.process = spawn(self.program)
        await self.ready()

    async def ready(self) -> None:
        async def answers() -> bool:
            return self.program.ready()

        await eventually(answers, READY_SECONDS)

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def _signal(self, number: signal.Signals) -> None:
        for member in self._family():
            with suppress(ProcessLookupError):
                os.kill(member.pid, number)


@asynccontextmanager
async def own_postgres(folder: Path, **settings: str) -> AsyncIterator[Server]:
    """A server whose disk writes are as safe as in production; `address` is its admin's URL of a new database.

    It goes on with the data of an earlier one in this folder: to make them anew takes seconds.
    """
    place = folder / "postgres", free_port(), PASSWORD, folder / "logs" / "postgres.log"
    server, database = postgres.Postgres(*place), f"test_{uuid.uuid4().hex[:12]}"
    async with _running(postgres.program(server, **settings), server.url(database)) as made:
        postgres.ensure_database(server, database)
        yield made


@asynccontextmanager
async def own_kafka(folder: Path) -> AsyncIterator[Server]:
    """A broker; `address` is what clients bootstrap from."""
    port, controller_port = free_ports(2)
    broker = kafka.Kafka(folder / "kafka", port, controller_port, folder / "logs" / "kafka.log")
    program = kafka.program(broker)
    with (broker.data / "server.properties").open("a") as properties:
        properties.writelines(f"{name}={value}\n" for name, value in KAFKA_SETTINGS.items())
    async with _running(program, broker.servers) as made:
        yield made


@asynccontextmanager
async def _running(program: Program, address: str) -> AsyncIterator[Server]:
    server = Server(program, spawn(program), address)
    try:
        await server.ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.go_on()
        stop(server.process, program)


class Proxy:
    """Passes connections on to a server, until they are cut or held up."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> int:
        """Breaks all connections off, whatever is on its way; returns how many they were."""
        cut = [writer for writer in self._writers if not writer.is_closing()]
        for writer in cut:
            writer.transport.abort()
        return len(cut) // 2

    def hold(self) -> None:
        """Lets nothing through in either direction from now on; connections stay open."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ours = {writer, there[1]}
        self._writers |= ours
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))
        self._writers -= ours

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
