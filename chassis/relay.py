"""Publishes a log to its topic: every shard in order by one leader, which a PostgreSQL advisory lock elects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

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
from chassis.tasks import heed_cancellation
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
    """Publishes the shards that this process leads: its share among the relays of its service. Runs until cancelled."""

    def __init__(self, log_: PostgresLog, settings: Settings) -> None:
        self._log = log_
        self._settings = settings
        self._topic = settings.topic(log_.service)
        self._leads: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._woken = asyncio.Event()
        self._notary = Notary(log_.service, settings.seal_key_bytes)
        self._links: dict[int, Link] = {}
        self.connected = False

    def wake(self, shards: Iterable[int] | None = None) -> None:
        """Something was appended to these shards, or nobody knows to which."""
        self._fresh.update(range(self._log.shards) if shards is None else shards)
        self._woken.set()

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
            clock = asyncio.get_running_loop().time
            share_at = 0.0
            while True:
                began = clock()
                if began >= share_at:
                    await self._take_share(session)
                    share_at = began + LEAD_SECONDS
                if await self._publish_fresh(session, producer):
                    await asyncio.sleep(began + PACE_SECONDS - clock())
                else:
                    await self._wait(share_at - clock())

    async def _share(self, session: Connection) -> int:
        """How many shards each of the relays at work leads at the most."""
        row = await (await session.execute(COUNT, (self._log.service,))).fetchone()
        relays = row[0] if row else 1
        return -(-self._log.shards // max(1, relays))

    async def _take_share(self, session: Connection) -> None:
        """Gives shards up for relays that came later, or takes those that nobody leads."""
        share = await self._share(session)
        for shard in sorted(self._leads)[: max(0, len(self._leads) - share)]:
            await session.execute(RESIGN, (self._log.service, shard))
            del self._leads[shard]
        led = await self._newly_led(session, share - len(self._leads))
        self.wake(led)

    async def _newly_led(self, session: Connection, wanted: int) -> Sequence[int]:
        candidates = [shard for shard in range(self._log.shards) if shard not in self._leads]
        if not candidates or wanted <= 0:
            return ()
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
            if fresh := [shard for shard, head in heads if head > self._leads.get(shard, head)]:
                self.wake(fresh)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _publish_fresh(self, session: Connection, producer: AIOKafkaProducer) -> bool:
        """Publishes a page at the most of each shard that has something new; returns whether one had."""
        fresh = {shard: self._leads[shard] for shard in sorted(self._fresh & self._leads.keys())}
        self._fresh.clear()
        self._woken.clear()
        pages = await self._log.pages(fresh, PAGE) if fresh else {}
        heed_cancellation()
        if not pages:
            return False
        for shard, records in pages.items():
            after = fresh[shard]
            if [record.position.sequence for record in records] != list(range(after + 1, after + 1 + len(records))):
                raise LogGap(f"{self._log.service}/{shard} has a gap after {after}")
        await reach(Point.RELAY_BEFORE_SEND)
        sealed = [self._notary.seal(shard, self._links[shard], records) for shard, records in pages.items()]
        seals = [seal for seal in sealed if seal]
        await self._publish(pages, seals, producer)
        await reach(Point.RELAY_AFTER_SEND)
        published = {shard: records[-1].position.sequence for shard, records in pages.items()}
        await reach(Point.RELAY_BEFORE_SAVE)
        await save(session, published, seals)
        self._leads |= published
        self._links |= {seal.shard: Link(seal.last, bytes.fromhex(seal.seal)) for seal in seals}
        await reach(Point.RELAY_AFTER_SAVE)
        for shard, records in pages.items():
            published_events.add(len(records), {"shard": shard})
        self.wake(shard for shard, records in pages.items() if len(records) == PAGE)
        return True

    async def _publish(
        self, pages: Mapping[int, Sequence[Record]], seals: Sequence[Seal], producer: AIOKafkaProducer
    ) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            sent = [
                await producer.send_batch(batch, self._topic, partition=shard)
                for shard, records in pages.items()
                for batch in _batches(producer, records)
            ]
            for seal in seals:
                value, key = seal.model_dump_json().encode(), seal.chain.encode()
                sent.append(await producer.send(self._settings.topic(SEALS.name), value, key=key, partition=seal.shard))
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
