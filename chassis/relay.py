"""Publishes a log to its topic: every shard in order by one leader, which a PostgreSQL advisory lock elects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from chassis.bus import SEND_SECONDS, open_producer
from chassis.database import KEEPALIVE
from chassis.failpoints import Point, reach
from chassis.log import Connection
from chassis.postgres_log import PostgresLog
from chassis.seals import Link, Notary, save
from chassis.settings import Settings
from chassis.telemetry import meter
from contracts.envelope import Record
from contracts.seal import Seal
from contracts.topics import SEALS

log = structlog.get_logger()

PAGE = 1_000
PACE_SECONDS = 0.01
POLL_SECONDS = 0.25
LEAD_SECONDS = 2.0
SESSION_SECONDS = 5
BACKOFF_SECONDS = (0.2, 10.0)
BATCH_BYTES = 256 * 1024

JOIN = "SELECT pg_advisory_lock_shared(hashtext('portico.relays.' || %s), 0)"
COUNT = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = (hashtext('portico.relays.' || %s)::bigint & 4294967295)::oid AND objid = 0
"""
LEAD = """
SELECT shard, sequence FROM relay_cursors
WHERE shard = ANY(%s) AND pg_try_advisory_lock(hashtext('portico.relay.' || %s), shard) LIMIT %s
"""
RESIGN = "SELECT pg_advisory_unlock(hashtext('portico.relay.' || %s), %s)"

published_events = meter.create_counter("portico_relay_published", description="Events published to Kafka")


class LogGap(Exception):
    """A shard of the log lacks a sequence: somebody altered the events table."""


class Relay:
    """One task a shard, for those shards that this process leads: its share among the relays of its service.

    Runs until cancelled.
    """

    def __init__(self, log_: PostgresLog, settings: Settings) -> None:
        self._log = log_
        self._settings = settings
        self._topic = settings.topic(log_.service)
        self._wakes = [asyncio.Event() for _ in range(log_.shards)]
        self._leads: dict[int, int] = {}
        self._notary = Notary(log_.service, settings.seal_key_bytes)
        self._links: dict[int, Link] = {}
        self._resigning: set[int] = set()
        self.connected = False

    def wake(self, shards: Iterable[int] | None = None) -> None:
        """Something was appended to these shards, or nobody knows to which."""
        for shard in range(len(self._wakes)) if shards is None else shards:
            self._wakes[shard].set()

    @property
    def published(self) -> dict[int, int]:
        """The last published sequence of the shards that this process leads."""
        return dict(self._leads)

    async def run(self) -> None:
        """Leads what it can; begins anew after every failure, a little later each time."""
        low, high = BACKOFF_SECONDS
        backoff = low
        while True:
            try:
                await self._session()
            except (psycopg.Error, KafkaError, OSError, TimeoutError, LogGap) as error:
                log.warning("relay interrupted", error=f"{type(error).__name__}: {error}", retry_seconds=backoff)
            except ExceptionGroup as errors:
                log.warning("relay interrupted", error=str(errors.exceptions[0]), retry_seconds=backoff)
                if self.connected:
                    backoff = low
            self.connected = False
            self._leads.clear()
            self._resigning.clear()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, high)

    async def _session(self) -> None:
        """Everything below one lock session: when it is lost, so is the leadership, and saving a cursor fails.

        The server ends it when nothing is heard from us: a process that stands still does not lead.
        """
        url = self._settings.database_url.get_secret_value()
        options = f"-c synchronous_commit=off -c idle_session_timeout={SESSION_SECONDS}s"
        async with (
            open_producer(self._settings, max_batch_size=BATCH_BYTES) as producer,
            await psycopg.AsyncConnection.connect(
                url, autocommit=True, connect_timeout=SESSION_SECONDS, options=options, **KEEPALIVE
            ) as session,
            asyncio.TaskGroup() as tasks,
        ):
            await session.execute(JOIN, (self._log.service,))
            self.connected = True
            tasks.create_task(self._poll(session))
            while True:
                share = await self._share(session)
                for shard in await self._newly_led(session, share - len(self._leads)):
                    tasks.create_task(self._lead(shard, session, producer))
                self._resign(len(self._leads) - share)
                await asyncio.sleep(LEAD_SECONDS)

    async def _share(self, session: Connection) -> int:
        """How many shards each of the relays at work leads at the most."""
        row = await (await session.execute(COUNT, (self._log.service,))).fetchone()
        relays = row[0] if row else 1
        return -(-self._log.shards // max(1, relays))

    def _resign(self, surplus: int) -> None:
        """Gives shards up for relays that came later; each goes when its batch is through."""
        for shard in sorted(self._leads)[: max(0, surplus)]:
            self._resigning.add(shard)
            self._wakes[shard].set()

    async def _newly_led(self, session: Connection, wanted: int) -> list[int]:
        candidates = [shard for shard in range(self._log.shards) if shard not in self._leads]
        if not candidates or wanted <= 0:
            return []
        cursor = await session.execute(LEAD, (candidates, self._log.service, wanted))
        led = dict(await cursor.fetchall())
        if led:
            self._links |= await self._notary.links(session, led)
        self._leads |= {shard: min(sequence, self._links[shard].sequence) for shard, sequence in led.items()}
        return sorted(led)

    async def _poll(self, session: Connection) -> None:
        """Appends of other processes do not wake this one: look."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            async with asyncio.timeout(SESSION_SECONDS):
                heads = await (await session.execute("SELECT shard, sequence FROM heads")).fetchall()
            for shard, head in heads:
                if head > self._leads.get(shard, head):
                    self._wakes[shard].set()

    async def _lead(self, shard: int, session: Connection, producer: AIOKafkaProducer) -> None:
        """Publishes until it resigns. After a batch that is not full it pauses: more at once costs everybody less.

        All pauses end together, so that the shards share requests to Kafka and its answers to consumers.
        """
        wake = self._wakes[shard]
        while shard not in self._resigning:
            wake.clear()
            after = self._leads[shard]
            records = await self._log.read(shard, after, PAGE)
            _heed_cancellation()
            if not records:
                await wake.wait()
                continue
            if [record.position.sequence for record in records] != list(range(after + 1, after + 1 + len(records))):
                raise LogGap(f"{self._log.service}/{shard} has a gap after {after}")
            await reach(Point.RELAY_BEFORE_SEND)
            seal = self._notary.seal(shard, self._links[shard], records)
            await self._publish(shard, records, seal, producer)
            await reach(Point.RELAY_AFTER_SEND)
            after = records[-1].position.sequence
            await reach(Point.RELAY_BEFORE_SAVE)
            await save(session, shard, after, seal)
            self._leads[shard] = after
            if seal:
                self._links[shard] = Link(seal.last, bytes.fromhex(seal.seal))
            await reach(Point.RELAY_AFTER_SAVE)
            published_events.add(len(records), {"shard": shard})
            wake.set()
            if len(records) < PAGE:
                await asyncio.sleep(PACE_SECONDS - asyncio.get_running_loop().time() % PACE_SECONDS)
        await session.execute(RESIGN, (self._log.service, shard))
        self._resigning.discard(shard)
        del self._leads[shard]

    async def _publish(
        self, shard: int, records: Sequence[Record], seal: Seal | None, producer: AIOKafkaProducer
    ) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            sent = [
                await producer.send_batch(batch, self._topic, partition=shard) for batch in _batches(producer, records)
            ]
            if seal:
                value, key = seal.model_dump_json().encode(), seal.chain.encode()
                sent.append(await producer.send(self._settings.topic(SEALS.name), value, key=key, partition=shard))
            await asyncio.wait(sent)
        for acknowledged in sent:
            acknowledged.result()


def _batches(producer: AIOKafkaProducer, records: Sequence[Record]) -> Iterator[BatchBuilder]:
    """The records as the producer sends them: in order, as many together as fit."""
    batch = producer.create_batch()
    for record in records:
        key, headers = record.stream.encode(), record.headers()
        if batch.append(timestamp=None, key=key, value=record.data, headers=headers) is None:
            yield batch
            batch = producer.create_batch()
            if batch.append(timestamp=None, key=key, value=record.data, headers=headers) is None:
                raise ValueError(f"{record.position} does not fit into a batch")
    yield batch


def _heed_cancellation() -> None:
    """Waiting for a connection of the pool can swallow a cancellation: asyncio.wait_for does, before Python 3.12."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
