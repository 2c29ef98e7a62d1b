"""Which partitions each consumer of an instance reads, and whether its checkpoints are still where it left them.

Instances know each other by advisory locks, as relays do: PostgreSQL declares dead who dies or stands still. All
consumers of a service are looked after at once, so that fifty of them cost no more than one when nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from zlib import crc32

import psycopg
import structlog
from aiokafka import TopicPartition

from chassis.checkpoints import Checkpoint
from chassis.database import CONNECT_SECONDS, KEEPALIVE
from chassis.log import Connection
from chassis.settings import Settings

log = structlog.get_logger()

LOOK_SECONDS = 2.0
LOOKS_A_SESSION = 5
BACKOFF_SECONDS = (0.2, 5.0)

JOIN = "SELECT pg_advisory_lock_shared(hashtext('portico.consumers.' || %s), hashtext(n)) FROM unnest(%s::text[]) n"
LEAVE = "SELECT pg_advisory_unlock_shared(hashtext('portico.consumers.' || %s), hashtext(n)) FROM unnest(%s::text[]) n"
MEMBERS = """
SELECT n, array_position(array_agg(l.pid ORDER BY l.pid), pg_backend_pid()) - 1, count(*)
FROM pg_locks l JOIN unnest(%s::text[]) n ON l.objid = (hashtext(n)::bigint & 4294967295)::oid
WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = (hashtext('portico.consumers.' || %s)::bigint & 4294967295)::oid
GROUP BY n
"""
STORED = "SELECT consumer, topic, partition, sequence, next_offset, fence FROM checkpoints WHERE consumer = ANY(%s)"


@dataclass(frozen=True)
class Look:
    """What a consumer is told: which of the instances that run it this one is, and what the database holds."""

    place: int
    instances: int
    stored: Mapping[TopicPartition, Checkpoint]

    def share(self, partitions: Iterable[TopicPartition], shards: int) -> set[TopicPartition]:
        """This instance's part, the same for all consumers that the same instances run."""
        instances = min(self.instances, shards)
        return {p for p in partitions if (crc32(p.topic.encode()) + p.partition) % instances == self.place}


class Shares:
    """Tells the consumers of a process, again and again. Runs until cancelled."""

    def __init__(self, service: str, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._members: dict[str, Callable[[Look], None]] = {}
        self._wanted = asyncio.Event()

    @contextmanager
    def joined(self, consumer: str, told: Callable[[Look], None]) -> Iterator[None]:
        """For the length of the block this instance takes part in a consumer's work; first told very soon."""
        self._members[consumer] = told
        self._wanted.set()
        try:
            yield
        finally:
            del self._members[consumer]

    def look(self) -> None:
        """Somebody has reason to believe that something has changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Looks; begins anew after every failure, a little later each time."""
        low, high = BACKOFF_SECONDS
        backoff = low
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._session()
            except (psycopg.Error, OSError, TimeoutError) as error:
                if asyncio.get_running_loop().time() - started > high:
                    backoff = low
                log.warning("shares interrupted", error=f"{type(error).__name__}: {error}", retry_seconds=backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, high)

    async def _session(self) -> None:
        """Below one session, which the server ends when it hears nothing from us: the locks go with it."""
        milliseconds = self._settings.consumer_session_ms
        pause = min(LOOK_SECONDS, milliseconds / 1000 / LOOKS_A_SESSION)
        async with await psycopg.AsyncConnection.connect(
            self._settings.database_url.get_secret_value(),
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=f"-c idle_session_timeout={milliseconds}",
            **KEEPALIVE,
        ) as session:
            locked: set[str] = set()
            while True:
                async with asyncio.timeout(max(CONNECT_SECONDS, milliseconds / 1000)):
                    await self._look(session, locked)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wanted.wait()

    async def _look(self, session: Connection, locked: set[str]) -> None:
        self._wanted.clear()
        members = dict(self._members)
        if new := sorted(members.keys() - locked):
            await session.execute(JOIN, (self._service, new))
        if gone := sorted(locked - members.keys()):
            await session.execute(LEAVE, (self._service, gone))
        locked.clear()
        locked.update(members)
        names = sorted(members)
        if not names:
            await session.execute("SELECT")
            return
        places = await (await session.execute(MEMBERS, (names, self._service))).fetchall()
        stored: dict[str, dict[TopicPartition, Checkpoint]] = {name: {} for name in names}
        for name, topic, partition, *checkpoint in await (await session.execute(STORED, (names,))).fetchall():
            stored[name][TopicPartition(topic, partition)] = Checkpoint(*checkpoint)
        for name, place, instances in places:
            if self._members.get(name) is members[name]:
                members[name](Look(place, instances, stored[name]))
