"""The rows: how fast commands are appended, published and folded, and how soon they are seen."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg
from aiokafka import AIOKafkaConsumer

from bench.harness import Contender, Row, Stopwatch
from bench.workload import AMOUNTS, CHANGES, ENCODED, append, event, new_stream
from chassis.bus import open_producer
from chassis.checkpoints import Checkpoints
from chassis.consumer import Consumer
from chassis.database import open_pool
from chassis.keyring import PostgresKeyring, Sealer
from chassis.log import Appended
from chassis.postgres_log import PostgresLog
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.sources import LogSource
from chassis.streams import Streams
from chassis.testing import eventually, running
from chassis.texts import Texts
from chassis.topics import ensure_topics
from chassis.views import ViewHandler

LIMIT_SECONDS = 300.0
RAW_TABLE = "CREATE TABLE IF NOT EXISTS raw_events (id bigserial PRIMARY KEY, stream text, data bytea)"


@dataclass(frozen=True)
class Bench:
    """Where to measure, and how much of everything."""

    settings: Settings
    seconds: float
    events: int
    latency_commands: int

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()


async def _for_a_while(seconds: float, writers: int, work: Callable[[], Awaitable[int]]) -> float:
    """Lets writers work side by side for some seconds; returns events per second."""
    watch = Stopwatch()
    done = 0

    async def write() -> None:
        nonlocal done
        while watch.seconds < seconds:
            done += await work()

    await asyncio.gather(*(write() for _ in range(writers)))
    return done / watch.seconds


def append_row(bench: Bench, writers: int, batch: int = 1) -> Row:
    """Durable appends of new streams, beside plain INSERTs of the same bytes over as many connections as make sense."""

    async def ours() -> float:
        async with open_pool(bench.url, 8) as pool:
            log = await PostgresLog.connect("billing", pool)

            async def work() -> int:
                result = await log.append(append(new_stream(), 0, batch))
                assert isinstance(result, Appended)  # noqa: S101 new streams have no conflict
                return batch

            return await _for_a_while(bench.seconds, writers, work)

    async def raw() -> float:
        async with open_pool(bench.url, max(2, min(writers, 32))) as pool:
            async with pool.connection() as connection:
                await connection.execute(RAW_TABLE)
            insert = "INSERT INTO raw_events (stream, data) SELECT %b, unnest(%b::bytea[])"

            async def work() -> int:
                async with pool.connection(LIMIT_SECONDS) as connection:
                    await connection.execute(insert, (new_stream(), [ENCODED] * batch), prepare=True)
                return batch

            return await _for_a_while(bench.seconds, writers, work)

    name = f"append, {writers} writers" + (f", {batch} events each" if batch > 1 else "")
    return Row(name, "events/s", (Contender("Portico", ours), Contender("raw psycopg INSERT", raw)))


def command_row(bench: Bench, writers: int) -> Row:
    """Whole commands: load the stream, fold it, decide, encode, append."""

    async def ours() -> float:
        async with open_pool(bench.url, 8) as pool:
            log = await PostgresLog.connect("billing", pool)
            streams = Streams(log, Sealer(PostgresKeyring(pool, bench.settings.master_key_bytes)))

            async def work() -> int:
                changed = event()
                await streams.execute(CHANGES, changed.contract_id, changed)
                return 1

            return await _for_a_while(bench.seconds, writers, work)

    return Row(f"command, {writers} writers", "commands/s", (Contender("Portico", ours),))


async def _fill(bench: Bench, settings: Settings) -> None:
    await ensure_topics(settings)
    async with open_pool(bench.url, 8) as pool:
        log = await PostgresLog.connect("billing", pool)
        async with pool.connection() as connection:
            await connection.execute(
                "TRUNCATE events; UPDATE heads SET sequence = 0; UPDATE relay_cursors SET sequence = 0"
            )
        for _ in range(0, bench.events, 1_000):
            await asyncio.gather(*(log.append(append(new_stream(), 0, 1)) for _ in range(1_000)))


async def _relayed(bench: Bench, settings: Settings) -> float:
    """Seconds until the whole log is on its topic."""
    async with open_pool(bench.url, 8) as pool:
        log = await PostgresLog.connect("billing", pool)
        heads = await log.heads()
        relay = Relay(log, settings)
        task = asyncio.create_task(relay.run())
        try:

            async def led() -> bool:
                return relay.connected

            await eventually(led, LIMIT_SECONDS)
            watch = Stopwatch()

            async def done() -> bool:
                return relay.published == heads

            await eventually(done, LIMIT_SECONDS)
            return watch.seconds
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def relay_row(bench: Bench, prefixes: Callable[[], str]) -> Row:
    """The log to Kafka, beside the same bytes, keys and headers sent by a bare aiokafka producer."""

    async def ours() -> float:
        settings = bench.settings.model_copy(update={"topic_prefix": prefixes()})
        await _fill(bench, settings)
        return bench.events / await _relayed(bench, settings)

    async def raw() -> float:
        settings = bench.settings.model_copy(update={"topic_prefix": prefixes()})
        await ensure_topics(settings)
        async with open_pool(bench.url, 2) as pool:
            log = await PostgresLog.connect("billing", pool)
            records = [record for shard in range(log.shards) for record in await log.read(shard, 0, bench.events)]
        topic = settings.topic("billing")
        async with open_producer(settings, max_batch_size=256 * 1024) as producer:
            watch = Stopwatch()
            for start in range(0, len(records), 4_000):
                sent = [
                    await producer.send(
                        topic, r.data, key=r.stream.encode(), partition=r.position.shard, headers=r.headers()
                    )
                    for r in records[start : start + 4_000]
                ]
                await asyncio.wait(sent)
            return len(records) / watch.seconds

    return Row("relay: log to topic", "events/s", (Contender("Portico", ours), Contender("raw aiokafka producer", raw)))


def view_row(bench: Bench, prefixes: Callable[[], str]) -> Row:
    """A topic into a view of all different keys, checkpoints included, beside a bare aiokafka consumer."""
    prepared: list[Settings] = []

    async def ours() -> float:
        settings = bench.settings.model_copy(update={"topic_prefix": prefixes()})
        prepared.append(settings)
        await _fill(bench, settings)
        await _relayed(bench, settings)
        async with open_pool(bench.url, 8) as pool:
            async with pool.connection() as connection:
                await connection.execute(f"DROP TABLE IF EXISTS {AMOUNTS.table}")
                await connection.execute("DELETE FROM checkpoints")
            sealer = Sealer(PostgresKeyring(pool, settings.master_key_bytes))
            consumer = Consumer(LogSource(ViewHandler(AMOUNTS), sealer), "billing", settings, pool)
            return await _consumed(bench, consumer, consumer.checkpoints, settings)

    async def raw() -> float:
        topic = prepared[-1].topic("billing")
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bench.settings.kafka_servers, auto_offset_reset="earliest", group_id=prefixes()
        )
        await consumer.start()
        try:
            seen = 0
            watch = Stopwatch()
            while seen < bench.events:
                seen += sum(map(len, (await consumer.getmany(timeout_ms=500, max_records=1_000)).values()))
            return seen / watch.seconds
        finally:
            await consumer.stop()

    return Row("view from topic", "events/s", (Contender("Portico", ours), Contender("raw aiokafka consumer", raw)))


async def _consumed(bench: Bench, consumer: Consumer, checkpoints: Checkpoints, settings: Settings) -> float:
    task = asyncio.create_task(consumer.run())
    try:

        async def begun() -> bool:
            return bool(consumer.positions())

        await eventually(begun, LIMIT_SECONDS)
        watch = Stopwatch()

        async def done() -> bool:
            return bool(sum(position["position"] for position in consumer.positions()) == bench.events)

        await eventually(done, LIMIT_SECONDS)
        return bench.events / watch.seconds
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def latency_rows(bench: Bench, prefixes: Callable[[], str], rate: int = 300) -> Sequence[Row]:
    """From the call of a command until the view shows it, at a steady rate."""
    samples: list[list[float]] = []

    async def measure() -> None:
        settings = bench.settings.model_copy(update={"topic_prefix": prefixes()})
        await _fill(replace(bench, events=0), settings)
        async with running(_create, settings) as running_service:
            samples.append(await _latencies(running_service.service, bench.latency_commands, rate))

    async def p50() -> float:
        await measure()
        return statistics.quantiles(samples[-1], n=100)[49] * 1_000

    async def p99() -> float:
        return statistics.quantiles(samples[-1], n=100)[98] * 1_000

    name = f"command to visible, {rate}/s"
    return (Row(f"{name}, p50 and p99", "ms", (Contender("p50", p50), Contender("p99", p99)), higher_is_better=False),)


def _create(settings: Settings) -> Service:
    service = Service("billing", settings, Texts({}))
    service.view(AMOUNTS)
    return service


async def _latencies(service: Service, commands: int, rate: int) -> list[float]:
    checkpoints = service.consumers[0].checkpoints
    topic = service.settings.topic("billing")

    async def one() -> float:
        watch = Stopwatch()
        changed = event()
        outcome = await service.streams.execute(CHANGES, changed.contract_id, changed)
        if not await checkpoints.wait(topic, outcome.position.shard, outcome.position.sequence, LIMIT_SECONDS):
            raise TimeoutError(f"{outcome.position} was not seen in time")
        return watch.seconds

    started = Stopwatch()
    tasks = []
    for number in range(commands):
        await asyncio.sleep(max(0.0, number / rate - started.seconds))
        tasks.append(asyncio.create_task(one()))
    return list(await asyncio.gather(*tasks))


def prepare(url: str) -> None:
    """Removes what a run before left behind."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS raw_events")
