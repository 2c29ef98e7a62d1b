"""A world of its own for each guarantee: database, topics, processes to kill, traffic, and the proof at the end."""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import random
import signal
import time
import uuid
from collections import Counter as Counts
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg_pool import PoolTimeout

from chassis.database import open_pool
from chassis.errors import Conflict, Unavailable
from chassis.keyring import MemoryKeyring, Sealer
from chassis.log import CommandKey
from chassis.postgres_log import PostgresLog
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.streams import Request, Streams
from chassis.testing import eventually
from chassis.topics import ensure_topics
from cli.stack.ports import HOST, free_port
from contracts.topics import TOPICS
from tests.chassis.events import COUNTER
from tests.guarantees import program
from tests.guarantees.plan import LONG

PASSWORD = "billing-secret"
SHARDS = 4
SESSION_MS = 1_500
#: For how long anything is waited for; the mutation check has less patience.
SECONDS = float(os.environ.get("PORTICO_GUARANTEES_WAIT") or (240 if LONG else 60))
ALL = "relay,view,reaction"
READY_PATH = "/health/ready"

_forks = multiprocessing.get_context("forkserver")
#: What a server imports only when it starts is there, too, before a process forks off.
_forks.set_forkserver_preload([program.__name__, "uvloop", "uvicorn.protocols.http.httptools_impl", "pydantic.v1"])


@dataclass
class Process:
    """A running service program, and what can be done to it."""

    handle: Any
    port: int
    log: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return int(self.handle.pid)

    @property
    def alive(self) -> bool:
        return bool(self.handle.is_alive())

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def pause(self) -> None:
        """SIGSTOP: its connections stay open, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM: it should come to a clean end."""
        self.handle.terminate()

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is closed."""
        self.handle.kill()
        self.handle.join(10)

    async def ended(self, seconds: float = SECONDS) -> None:
        """Returns when it is gone, by whatever way."""

        async def gone() -> bool:
            return not self.alive

        await self._waiting(gone, seconds)

    async def stopped(self, seconds: float = SECONDS) -> None:
        """Returns when it stands still by SIGSTOP."""

        async def still() -> bool:
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

        await self._waiting(still, seconds)

    async def ready(self, seconds: float = SECONDS) -> Process:
        """Returns when all its parts are at work."""
        async with httpx.AsyncClient(timeout=5) as client:

            async def answers() -> bool:
                assert self.alive, self.said()
                try:
                    return (await client.get(self.url + READY_PATH)).status_code == 200
                except httpx.TransportError:
                    return False

            await self._waiting(answers, seconds)
        return self

    async def _waiting(self, probe: Any, seconds: float) -> None:
        try:
            await eventually(probe, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the process said:\n{self.said()}") from None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""


@dataclass
class World:
    """A provisioned database, topics, and a folder for logs; ends what it started."""

    settings: Settings
    admin_url: str
    folder: Path
    processes: list[Process] = field(default_factory=list)

    def start(self, parts: str = ALL, failpoints: str = "", **environment: str) -> Process:
        """Starts a process with these parts; `environment` adds variables or sets others."""
        port = free_port()
        variables = {
            "PORTICO_DATABASE_URL": self.settings.database_url.get_secret_value(),
            "PORTICO_KAFKA_SERVERS": self.settings.kafka_servers,
            "PORTICO_TOPIC_PREFIX": self.settings.topic_prefix,
            "PORTICO_MASTER_KEY": self.settings.master_key.get_secret_value(),
            "PORTICO_IDENTITY_URL": self.settings.identity_url,
            "PORTICO_CONSUMER_SESSION_MS": str(self.settings.consumer_session_ms),
            "PORTICO_PORT": str(port),
            "PORTICO_FAILPOINTS": failpoints,
            program.PARTS: parts,
            **environment,
        }
        log = self.folder / f"{len(self.processes)}-{parts.replace(',', '-')}.log"
        handle = _forks.Process(target=program.main, args=(variables, str(log)), daemon=True)
        handle.start()
        process = Process(handle, port, log)
        self.processes.append(process)
        return process

    @asynccontextmanager
    async def streams(self, connections: int = 8) -> AsyncIterator[Streams]:
        """Commands straight into the log, as another process would give them."""
        async with open_pool(self.settings.database_url.get_secret_value(), connections) as pool:
            yield Streams(PostgresLog("billing", pool, SHARDS), Sealer(MemoryKeyring()))

    def end(self) -> None:
        for process in self.processes:
            if process.alive:
                process.kill()

    @property
    def topic(self) -> str:
        return self.settings.topic("billing")

    def connect(self) -> psycopg.Connection[Any]:
        """A connection with the service's own role."""
        return psycopg.connect(self.settings.database_url.get_secret_value(), autocommit=True, connect_timeout=10)


@contextmanager
def world(admin_url: str, kafka_servers: str, folder: Path) -> Iterator[World]:
    """Makes database tables and topics; `admin_url` names a database that is empty."""
    url = provision_database(admin_url, {"billing": PASSWORD}, SHARDS)["billing"]
    settings = Settings(
        database_url=url,
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}",
        master_key=base64.b64encode(b"k" * 32).decode(),
        identity_url="http://127.0.0.1:9",
        consumer_session_ms=SESSION_MS,
    )
    made = World(settings, admin_url, folder)
    try:
        yield made
    finally:
        made.end()


async def make_topics(settings: Settings) -> None:
    """Only what the counters need."""
    await ensure_topics(settings, [topic for topic in TOPICS if topic.name in {"billing", "seals"}])


#: What a command may meet while servers come and go; with a key it is simply sent again.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, Conflict, Unavailable, OSError)


class Traffic:
    """Increases counters from several lanes until the block ends. Every command has a key and is sent until it is
    answered, so that the sum of a counter must be what was acknowledged: no more and no less."""

    def __init__(
        self, world: World, rng: random.Random, *, counters: int = 30, lanes: int = 6, pause_ms: float = 10
    ) -> None:
        self.acknowledged: Counts[str] = Counts()
        self.repeated = 0
        self.longest_ms = 0.0
        self._world = world
        self._rng = rng
        self._ids = [uuid.uuid4().hex for _ in range(counters)]
        self._lanes = lanes
        self._pause = pause_ms / 1000
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def commands(self) -> int:
        return sum(self.acknowledged.values())

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[Traffic]:
        """Flows during the block; when it ends, every command is answered."""
        async with self._world.streams(self._lanes + 2) as streams:
            self._stopping = False
            self._tasks = [asyncio.create_task(self._lane(streams)) for _ in range(self._lanes)]
            try:
                yield self
            finally:
                self._stopping = True
                await asyncio.wait_for(asyncio.gather(*self._tasks), SECONDS)

    async def more(self, count: int, seconds: float = SECONDS) -> None:
        """Returns when so many further commands were answered."""
        wanted = self.commands + count

        async def enough() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return self.commands >= wanted

        await eventually(enough, seconds)

    async def _lane(self, streams: Streams) -> None:
        while not self._stopping:
            id_, request = self._rng.choice(self._ids), Request(key=CommandKey(uuid.uuid4().hex, "f"))
            started = time.monotonic()
            while True:
                try:
                    await streams.execute(COUNTER, id_, 1, request)
                    break
                except PASSING:
                    self.repeated += 1
                    if time.monotonic() - started > SECONDS:
                        raise
                    await asyncio.sleep(0.1)
            self.acknowledged[id_] += 1
            self.longest_ms = max(self.longest_ms, 1000 * (time.monotonic() - started))
            await asyncio.sleep(self._pause * 2 * self._rng.random())
