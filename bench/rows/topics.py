"""From the log to a topic, from a topic to a view, and from the log to a view."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.harness import Contender, Figure, Measure, Row, Stopwatch
from bench.peers.install import Peer, pyeventsourcing
from bench.rows.command import peer, postgres_environment
from bench.scene import SHARDS, Scene, Site
from bench.workload import AMOUNTS, KIND, Filling, change, fill, id_of
from chassis import filling
from chassis.bus import open_producer
from chassis.checkpoints import Checkpoints
from chassis.database import open_pool
from chassis.keyring import PostgresKeyring, Sealer
from chassis.postgres_log import PostgresLog
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.texts import Texts
from chassis.topics import ensure_topics
from chassis.views import ViewHandler

LIMIT_SECONDS = 900.0
PAGE = 1_000
RAW_PAGE = 5_000
IN_FLIGHT = 4_000
WARM_UP = 1_000
RAW_BATCH_BYTES = 256 * 1024
EVENTS_A_STREAM = 10
DURABLE_VIEW = "pyeventsourcing's projection runner, a transaction per event"


async def published(settings: Settings, name: str = "billing") -> float:
    """Runs a service's relay until its whole log is on the topic; returns the seconds it took."""
    url = settings.database_url.get_secret_value()
    async with open_pool(url, 8) as pool:
        log = await PostgresLog.connect(name, pool)
        heads = await log.heads()
        relay = Relay(log, settings)
        task = asyncio.create_task(relay.run())
        try:

            async def leads() -> bool:
                return relay.published.keys() == heads.keys()

            async def done() -> bool:
                return relay.published == heads

            await eventually(leads, LIMIT_SECONDS)
            watch = Stopwatch()
            await eventually(done, LIMIT_SECONDS)
            return watch.seconds
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def _relay(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    site = await scene.site("relay")
    settings, events = site.settings("billing"), scene.sizes.events
    own = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}-raw"})
    await ensure_topics(own)
    starts = count(WARM_UP, events)

    async def ours() -> Sequence[float]:
        fill(site.urls["billing"], Filling(KIND, change(id_of(0)), events, first=next(starts)))
        return (events / await published(settings),)

    async def raw(number: int = events) -> Sequence[float]:
        async with open_pool(site.urls["billing"], 2) as pool:
            log = await PostgresLog.connect("billing", pool)
            records = [record for shard in range(log.shards) for record in await log.read(shard, 0, number // SHARDS)]
        messages = [(r.stream.encode(), r.data, r.headers(), r.position.shard) for r in records]
        async with open_producer(own, max_batch_size=RAW_BATCH_BYTES) as producer:
            watch = Stopwatch()
            for start in range(0, len(messages), IN_FLIGHT):
                sent = [
                    await producer.send(own.topic("billing"), data, key=key, partition=partition, headers=headers)
                    for key, data, headers, partition in messages[start : start + IN_FLIGHT]
                ]
                await asyncio.wait(sent)
            return (len(messages) / watch.seconds,)

    fill(site.urls["billing"], Filling(KIND, change(id_of(0)), WARM_UP))
    await published(settings)
    await raw(WARM_UP)
    yield Contender("Portico", ours), Contender("raw aiokafka producer, records made before", raw, 0.6)


@asynccontextmanager
async def _view(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    site = await scene.site("view")
    settings, events = site.settings("billing"), scene.sizes.events
    fill(site.urls["billing"], Filling(KIND, change(id_of(0)), events))
    await published(settings)
    versions = count(1)

    async def ours() -> Sequence[float]:
        view = replace(AMOUNTS, version=next(versions))
        service = Service("billing", settings, Texts({}))
        service.view(view)
        async with service.running():
            return (await applied(site, view.consumer, events),)

    async def raw() -> Sequence[float]:
        consumer = AIOKafkaConsumer(
            settings.topic("billing"),
            bootstrap_servers=settings.kafka_servers,
            auto_offset_reset="earliest",
            group_id=f"raw-{settings.topic_prefix}-{next(versions)}",
        )
        await consumer.start()
        try:
            seen = 0
            watch = Stopwatch()
            while seen < events:
                seen += sum(map(len, (await consumer.getmany(timeout_ms=500, max_records=PAGE)).values()))
            return (seen / watch.seconds,)
        finally:
            await consumer.stop()

    environment = postgres_environment(scene.database("pyeventsourcing"))

    def runner(found: Peer) -> Measure:
        async def once() -> Sequence[float]:
            return (await found.rate(("view", "--events", str(scene.sizes.peer_events)), environment),)

        return once

    yield (
        Contender("Portico", ours),
        peer(DURABLE_VIEW, pyeventsourcing, scene, 15, runner),
        Contender("raw aiokafka consumer, which keeps nothing", raw),
    )


async def applied(site: Site, consumer: str, events: int, *, before: int = 0) -> float:
    """Events per second of a consumer of billing, from its first checkpoint above `before` until it is at `events`."""
    query = "SELECT coalesce(sum(sequence), 0) FROM checkpoints WHERE consumer = %s"
    async with await psycopg.AsyncConnection.connect(site.urls["billing"], autocommit=True) as connection:

        async def position() -> int:
            row = await (await connection.execute(query, (consumer,))).fetchone()
            return int(row[0]) if row else 0

        async def begun() -> int:
            return max(0, await position() - before)

        async def done() -> bool:
            return await position() >= events

        waited = Stopwatch()
        first = before + await eventually(begun, LIMIT_SECONDS)
        if first >= events:
            return (events - before) / waited.seconds
        watch = Stopwatch()
        await eventually(done, LIMIT_SECONDS)
        return (events - first) / watch.seconds


@asynccontextmanager
async def _replay(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    site = await scene.site("replay")
    url, events = site.urls["billing"], scene.sizes.replayed
    fill(url, Filling(KIND, change(id_of(0)), events // EVENTS_A_STREAM, EVENTS_A_STREAM))
    versions = count(1)
    async with open_pool(url, 8) as pool:
        log = await PostgresLog.connect("billing", pool)
        sealer = Sealer(PostgresKeyring(pool, site.shared.master_key_bytes))

        async def ours() -> Sequence[float]:
            handler = ViewHandler(replace(AMOUNTS, version=next(versions)))
            async with pool.connection() as connection:
                await handler.prepare(connection)
            checkpoints = Checkpoints(handler.name, pool)
            built = filling.Filling(log, sealer, pool, handler)
            watch = Stopwatch()
            for shard in range(log.shards):
                partition = TopicPartition("replay", shard)
                await built.shard(partition, await checkpoints.claim(*partition))
            return (events / watch.seconds,)

        async def raw() -> Sequence[float]:
            query = "SELECT * FROM events WHERE shard = %s AND sequence > %s ORDER BY sequence LIMIT %s"
            async with pool.connection() as connection:
                cursor = connection.cursor(binary=True)
                watch = Stopwatch()
                seen = 0
                for shard, head in (await log.heads()).items():
                    for after in range(0, head, RAW_PAGE):
                        seen += len(await (await cursor.execute(query, (shard, after, RAW_PAGE))).fetchall())
                return (seen / watch.seconds,)

        yield Contender("Portico", ours), Contender("raw read of the log by psycopg", raw, 0.15)


ROWS = (
    Row(
        "relay",
        "Relay: log to Kafka",
        "acks=all, idempotent, in order per shard, cursor and seals saved",
        (Figure("events", "1/s"),),
        _relay,
    ),
    Row(
        "view",
        "View from topic",
        "every event another document, checkpoints in the same transactions",
        (Figure("events", "1/s"),),
        _view,
    ),
    Row(
        "replay",
        "Replay of a log into a view",
        f"a rebuild from the log, checkpoints included; {EVENTS_A_STREAM} events to a document",
        (Figure("events", "1/s"),),
        _replay,
    ),
)
