"""Builds a view anew beside the live one, which goes on being read and updated, and has them swapped at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import structlog
from aiokafka import TopicPartition

from chassis.applier import PASSING, Applier, Batch, reason
from chassis.bus import ForeignRecord
from chassis.checkpoints import Fenced
from chassis.consumer import Consumer, Reading
from chassis.errors import NotFound, Rejected
from chassis.filling import PAGE, Filling
from chassis.keyring import Sealer
from chassis.log import Connection, EventLog
from chassis.settings import Settings
from chassis.sources import LogSource
from chassis.swap import remove, swap
from chassis.tasks import ended
from chassis.view_tables import drop_unused, touch
from chassis.views import ViewHandler
from contracts.envelope import Record

log = structlog.get_logger()

Source = Literal["topic", "log"]
POLL_SECONDS = 2.0
CHECK_SECONDS = 0.25
PUT_OFF_SECONDS = 5.0
TOUCH_SECONDS = 60.0
CLEAN_SECONDS = 3_600.0
BATCH_RECORDS = 300
ENDED_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild under way."""

    id: int
    view: str
    version: int
    source: Source
    filled: bool


class Rebuilds:
    """The rebuilds of a service's views. Instances share the work on each; the last step is one transaction."""

    def __init__(self, settings: Settings, reading: Reading, log_: EventLog, sealer: Sealer) -> None:
        self.handlers: dict[str, ViewHandler[Any]] = {}
        self._settings = settings
        self._reading = reading
        self._pool = reading.pool
        self._log = log_
        self._sealer = sealer
        self._wake = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._touch_at = 0.0
        self._clean_at = 0.0
        self._drop_at = float("inf")

    async def start(self, name: str, source: Source, actor: str | None) -> int:
        """Begins a rebuild and returns its number. Raises NotFound and Rejected for what cannot be rebuilt (now)."""
        view = self._handler(name).view
        if source == "log" and self._foreign(name):
            raise Rejected("log_not_at_hand", view=name, services=", ".join(self._foreign(name)))
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO rebuilds (view, version, source, actor) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (view, version) WHERE ended_at IS NULL DO NOTHING RETURNING id",
                (view.name, view.version, source, actor),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Rejected("rebuild_under_way", view=name)
        log.info("rebuild begun", view=name, rebuild=row[0], source=source, actor=actor)
        self._wake.set()
        return int(row[0])

    async def cancel(self, name: str, actor: str | None) -> None:
        """Gives up the rebuild of a view; the live table stays as it is."""
        view = self._handler(name).view
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE rebuilds SET ended_at = now(), outcome = 'cancelled' "
                "WHERE (view, version) = (%s, %s) AND ended_at IS NULL",
                (view.name, view.version),
            )
        if not cursor.rowcount:
            raise Rejected("no_rebuild_under_way", view=name)
        log.info("rebuild cancelled", view=name, actor=actor)
        self._wake.set()

    async def run(self) -> None:
        """Works on whatever rebuild is under way, also on those that others have begun. Runs until cancelled."""
        try:
            while True:
                try:
                    await self._round()
                except PASSING as error:
                    log.warning("rebuilds interrupted", error=reason(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            for task in self._tasks.values():
                await _ended(task)
            self._tasks.clear()

    async def _round(self) -> None:
        async with self._pool.connection() as connection:
            running = await self._running(connection)
        for number, task in list(self._tasks.items()):
            if number not in running or task.done():
                del self._tasks[number]
                await _ended(task)
        async with self._pool.connection() as connection:
            await self._keep_house(connection)
        for number, rebuild in running.items():
            handler = self.handlers.get(rebuild.view)
            if number not in self._tasks and handler is not None and handler.view.version == rebuild.version:
                self._tasks[number] = asyncio.create_task(self._build(rebuild, handler), name=f"rebuild {number}")

    async def _running(self, connection: Connection) -> Mapping[int, Rebuild]:
        cursor = await connection.execute(
            "SELECT id, view, version, source, filled_at IS NOT NULL FROM rebuilds WHERE ended_at IS NULL ORDER BY id"
        )
        return {row[0]: Rebuild(*row) for row in await cursor.fetchall()}

    async def _build(self, rebuild: Rebuild, live: ViewHandler[Any]) -> None:
        """From the log or the topics until it is swapped in, or somebody else has done so."""
        built = live.beside(rebuild.id)
        applier = Applier(LogSource(built, self._sealer, traced=False), self._pool, decided_for=live.name)
        try:
            if rebuild.source == "log" and not rebuild.filled and not await self._fill(rebuild, live, built, applier):
                return
            consumer = Consumer(applier, self._reading, BATCH_RECORDS)
            async with _running(consumer) as reading:
                while not await self._swapped(rebuild, live, built):
                    if reading.done():
                        reading.result()
            log.info("rebuild swapped in", view=rebuild.view, rebuild=rebuild.id)
            self._wake.set()
        finally:
            self._clean_at = 0.0

    async def _swapped(self, rebuild: Rebuild, live: ViewHandler[Any], built: ViewHandler[Any]) -> bool:
        """Tries once, and waits when it is too early; longer when a reader holds the table, lest others queue up."""
        try:
            if await swap(self._pool, rebuild.id, live, built):
                return True
            await asyncio.sleep(CHECK_SECONDS)
        except psycopg.errors.LockNotAvailable:
            log.warning("swap put off: somebody reads for long", view=rebuild.view, retry_seconds=PUT_OFF_SECONDS)
            await asyncio.sleep(PUT_OFF_SECONDS)
        return False

    async def _fill(self, rebuild: Rebuild, live: ViewHandler[Any], built: ViewHandler[Any], applier: Applier) -> bool:
        """Reads the whole log into the table. False when another instance is doing so."""
        topic = self._settings.topic(self._log.service)
        async with self._pool.connection() as lock:
            cursor = await lock.execute(
                "SELECT pg_try_advisory_lock(hashtext('portico.rebuild.' || %s), %s)",
                (self._log.service, rebuild.id),
            )
            if not (await cursor.fetchone() or (False,))[0]:
                await asyncio.sleep(POLL_SECONDS)
                return False
            try:
                await built.prepare(lock)
                for shard in range(self._log.shards):
                    await self._fill_shard(lock, applier, built, live.name, TopicPartition(topic, shard))
                await lock.execute("UPDATE rebuilds SET filled_at = now() WHERE id = %s", (rebuild.id,))
            finally:
                await lock.execute("SELECT pg_advisory_unlock_all()")
        return True

    async def _fill_shard(
        self,
        connection: Connection,
        applier: Applier,
        built: ViewHandler[Any],
        live: str,
        partition: TopicPartition,
    ) -> None:
        """Afterwards the topic is read from where the live consumer stood before: what is there twice is dropped."""
        cursor = await connection.execute(
            "SELECT next_offset FROM checkpoints WHERE (consumer, topic, partition) = (%s, %s, %s)",
            (live, *partition),
        )
        next_offset = (await cursor.fetchone() or (0,))[0]
        claim = await applier.checkpoints.claim(*partition)
        if not await applier.parking.count():
            try:
                filling = Filling(self._log, self._sealer, self._pool, built)
                claim = await filling.shard(partition, claim, next_offset)
            except (*PASSING, Fenced):
                raise
            except Exception as error:  # in batches, what cannot be folded is found and parked
                log.warning("rebuild goes on in batches", view=live, shard=partition.partition, error=reason(error))
                claim = await applier.checkpoints.claim(*partition)
        while records := await self._log.read(partition.partition, claim.sequence, PAGE):
            now = claim.moved(records[-1].position.sequence, next_offset)
            published = [_as_published(record, partition.topic) for record in records]
            await applier.apply([Batch(partition, published, claim, now)])
            claim = now

    async def _keep_house(self, connection: Connection) -> None:
        """Says which views are in use, and drops what nobody uses any more."""
        now = asyncio.get_running_loop().time()
        views = [handler.view for handler in self.handlers.values()]
        if now >= self._touch_at:
            if not self._touch_at:
                self._drop_at = now + CLEAN_SECONDS
            self._touch_at = now + TOUCH_SECONDS
            await touch(connection, views)
        if now >= self._clean_at:
            self._clean_at = now + CLEAN_SECONDS
            await self._remove_ended(connection)
        if now >= self._drop_at:
            self._drop_at = now + CLEAN_SECONDS
            await drop_unused(connection, views)

    async def _remove_ended(self, connection: Connection) -> None:
        """What ended rebuilds left behind, also those of a process that died."""
        cursor = await connection.execute(
            "SELECT id, view, version FROM rebuilds WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT %s",
            (ENDED_LOOKED_AT,),
        )
        for number, name, version in await cursor.fetchall():
            handler = self.handlers.get(name)
            if handler is not None and handler.view.version == version and number not in self._tasks:
                await remove(connection, handler.beside(number))

    def _handler(self, name: str) -> ViewHandler[Any]:
        if name not in self.handlers:
            raise NotFound("unknown_view", view=name)
        return self.handlers[name]

    def _foreign(self, name: str) -> list[str]:
        """The other services whose events a view folds."""
        return sorted({event.service for event in self.handlers[name].events} - {self._log.service})


def _as_published(record: Record, topic: str) -> ForeignRecord:
    """As it would come from the topic; its place in the log stands for the offset."""
    sequence, shard = record.position.sequence, record.position.shard
    at = int(record.time.timestamp() * 1000)
    return ForeignRecord(topic, shard, sequence - 1, record.stream.encode(), record.data, record.headers(), at)


@asynccontextmanager
async def _running(consumer: Consumer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(consumer.run(), name=consumer.source.name)
    try:
        yield task
    finally:
        await _ended(task)


async def _ended(task: asyncio.Task[None]) -> None:
    """Ends a task; what it died of is logged."""
    await ended([task])
    if task.done() and not task.cancelled() and (error := task.exception()):
        log.error("rebuild failed", work=task.get_name(), exc_info=error)
