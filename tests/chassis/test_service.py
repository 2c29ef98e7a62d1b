"""The backbone at work: commands to log to Kafka to views and reactions, with real PostgreSQL and Kafka."""

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis.database import open_pool
from chassis.decider import Decider
from chassis.keyring import PostgresKeyring
from chassis.log import shard_of
from chassis.provision import provision_database
from chassis.reactions import Reaction
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.texts import Texts
from chassis.topics import ensure_topics
from contracts.envelope import Record
from contracts.ids import Position
from tests.chassis.conftest import PASSWORDS, SHARDS
from tests.chassis.events import COUNTER, COUNTERS, ECHO, POISON, Greeted, Increased, echo

MASTER_KEY = base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
async def settings(fresh_database: str, kafka_servers: str, topic_prefix: str) -> Settings:
    url = provision_database(fresh_database, {"billing": PASSWORDS["billing"]}, SHARDS)["billing"]
    settings = Settings(
        database_url=url,
        kafka_servers=kafka_servers,
        topic_prefix=topic_prefix,
        master_key=MASTER_KEY,
        identity_url="http://127.0.0.1:9",
    )
    await ensure_topics(settings)
    return settings


def create(settings: Settings) -> Service:
    service = Service("billing", settings, Texts({}))
    service.view(COUNTERS)
    service.react(Reaction("echo", (Increased,), echo))
    return service


@pytest.fixture
async def running_service(settings: Settings) -> AsyncIterator[RunningService]:
    async with running(create, settings) as service:
        yield service


async def document(service: Service, id_: str) -> dict[str, Any] | None:
    async with service.pool.connection() as connection:
        cursor = await connection.execute("SELECT doc FROM view_counters_v1 WHERE key = %s", (id_,))
        row = await cursor.fetchone()
    return row[0] if row else None


async def shown(service: Service, id_: str, position: Position) -> dict[str, Any] | None:
    """The document once the view has reached a position."""
    view = next(c for c in service.consumers if c.source.name.startswith("view:"))
    topic = service.settings.topic("billing")
    assert await view.checkpoints.wait(topic, position.shard, position.sequence)
    return await document(service, id_)


async def test_a_command_is_shown_in_the_view_at_its_position(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    await service.streams.execute(COUNTER, id_, 3)
    outcome = await service.streams.execute(COUNTER, id_, 4)
    assert await shown(service, id_, outcome.position) == {"total": 7, "events": 2, "names": []}


async def test_a_reaction_happens_once_for_each_event(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    for by in (1, 2, 3):
        await service.streams.execute(COUNTER, id_, by)

    async def echoed() -> bool:
        return (await service.streams.load(ECHO, id_)).version >= 3

    await eventually(echoed)
    echoes = await service.streams.history(f"echo/{id_}")
    assert [envelope.event for envelope in echoes] == [Increased(by=1), Increased(by=2), Increased(by=3)]
    causes = [envelope.metadata.causation_id for envelope in echoes]
    originals = await service.streams.history(f"counter/{id_}")
    assert causes == [str(envelope.position) for envelope in originals]


async def test_what_is_published_is_what_is_stored(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    outcome = await service.streams.execute(COUNTER, id_, 5)
    topic = service.settings.topic("billing")
    consumer = AIOKafkaConsumer(bootstrap_servers=service.settings.kafka_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, outcome.position.shard)])
        async with asyncio.timeout(10):
            async for record in consumer:
                ours = Record.from_kafka(record.headers, record.value)
                if ours.position == outcome.position:
                    break
    finally:
        await consumer.stop()
    stored = (await service.log.read(outcome.position.shard, outcome.position.sequence - 1, 1))[0]
    assert ours == stored
    assert record.key == f"counter/{id_}".encode()


async def erase(database: str, person: str) -> None:
    """As identity does it: no other service may."""
    async with open_pool(database, 2) as pool:
        assert await PostgresKeyring(pool, base64.b64decode(MASTER_KEY)).erase(person)


async def test_personal_fields_are_sealed_in_the_log_and_plain_in_the_view(
    running_service: RunningService, fresh_database: str
) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    await greet(service, id_, "Anna Sommer")
    outcome = await service.streams.execute(COUNTER, id_, 1)
    for record in (await service.log.load([f"counter/{id_}"]))[f"counter/{id_}"]:
        assert b"Anna" not in record.data
    assert (await shown(service, id_, outcome.position) or {})["names"] == ["Anna Sommer"]
    await erase(fresh_database, f"contact/{id_}")
    service.keyring.forget(f"contact/{id_}")
    (greeting, _) = await service.streams.history(f"counter/{id_}")
    assert isinstance(greeting.event, Greeted)
    assert not isinstance(greeting.event.name, str)


async def greet(service: Service, id_: str, name: str) -> None:
    greeter: Decider[str, int] = Decider(
        "counter", 0, lambda name, _: [Greeted(person=f"contact/{id_}", name=name)], lambda state, _: state
    )
    await service.streams.execute(greeter, id_, name)


async def test_a_poisonous_event_parks_its_stream_and_others_flow(running_service: RunningService) -> None:
    service = running_service.service
    bad, good = uuid.uuid4().hex, uuid.uuid4().hex
    while service.log.shards > 1 and shard(service, bad) != shard(service, good):
        good = uuid.uuid4().hex
    await service.streams.execute(COUNTER, bad, 1)
    await service.streams.execute(COUNTER, bad, POISON)
    await service.streams.execute(COUNTER, good, 5)
    last = await service.streams.execute(COUNTER, bad, 2)
    assert (await shown(service, good, last.position) or {})["total"] == 5
    assert (await document(service, bad) or {})["total"] == 1
    view = next(c for c in service.consumers if c.source.name.startswith("view:"))
    (parked,) = await view.applier.parking.listed()
    assert (parked["stream"], parked["count"]) == (f"counter/{bad}", 2)
    assert "poison" in parked["error"]

    assert await view.applier.retry(f"counter/{bad}") == 0
    assert await view.applier.drop(f"counter/{bad}") == 1
    assert await view.applier.retry(f"counter/{bad}") == 1
    assert (await document(service, bad) or {})["total"] == 3
    assert await view.applier.parking.listed() == []


def shard(service: Service, id_: str) -> int:
    return shard_of(f"counter/{id_}", service.log.shards)


async def test_records_that_are_not_ours_are_parked_and_nothing_stops(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    producer = AIOKafkaProducer(bootstrap_servers=service.settings.kafka_servers)
    await producer.start()
    try:
        for partition in range(SHARDS):
            for value, headers in ((b"\xff\x00", []), (None, [("ce_id", b"\xff")]), (b"{}", [("ce_id", b"x/9:1")])):
                await producer.send_and_wait(
                    service.settings.topic("billing"), value, key=b"no\0t ours", partition=partition, headers=headers
                )
    finally:
        await producer.stop()
    outcome = await service.streams.execute(COUNTER, id_, 5)
    assert (await shown(service, id_, outcome.position) or {})["total"] == 5
    view = next(c for c in service.consumers if c.source.name.startswith("view:"))

    async def all_parked() -> bool:
        return sum(parked["count"] for parked in await view.applier.parking.listed()) == 3 * SHARDS

    await eventually(all_parked)


async def test_duplicates_are_dropped(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    outcome = await service.streams.execute(COUNTER, id_, 5)
    await shown(service, id_, outcome.position)
    producer = AIOKafkaProducer(bootstrap_servers=service.settings.kafka_servers)
    await producer.start()
    try:
        for record in await service.log.read(outcome.position.shard, 0, 100):
            await producer.send_and_wait(
                service.settings.topic("billing"),
                record.data,
                key=record.stream.encode(),
                partition=outcome.position.shard,
                headers=record.headers(),
            )
    finally:
        await producer.stop()
    after = await service.streams.execute(COUNTER, id_, 1)
    assert await shown(service, id_, after.position) == {"total": 6, "events": 2, "names": []}


async def test_a_missing_sequence_stops_the_partition_until_it_is_there(running_service: RunningService) -> None:
    service, id_ = running_service.service, uuid.uuid4().hex
    first = await service.streams.execute(COUNTER, id_, 1)
    await shown(service, id_, first.position)
    async with service.pool.connection() as connection:
        await connection.execute("UPDATE relay_cursors SET sequence = sequence + 1")
    # The relay that leads keeps its own count; a consumer is shown a record from beyond the missing one.
    record = (await service.log.read(first.position.shard, first.position.sequence - 1, 1))[0]
    ahead = Position("billing", first.position.shard, first.position.sequence + 2)
    forged = Record(ahead, record.stream, 3, record.type, record.time, record.metadata, b'{"by": 100}')
    producer = AIOKafkaProducer(bootstrap_servers=service.settings.kafka_servers)
    await producer.start()
    try:
        await producer.send_and_wait(
            service.settings.topic("billing"), forged.data, key=b"k", partition=ahead.shard, headers=forged.headers()
        )
    finally:
        await producer.stop()
    view = next(c for c in service.consumers if c.source.name.startswith("view:"))

    async def stopped() -> bool:
        return any(position["stopped_at_gap"] for position in view.positions())

    await eventually(stopped)
    assert (await document(service, id_) or {})["total"] == 1


async def test_a_restart_goes_on_where_it_stopped(settings: Settings) -> None:
    ids = [uuid.uuid4().hex for _ in range(20)]
    async with running(create, settings) as first:
        await asyncio.gather(*(first.service.streams.execute(COUNTER, id_, 1) for id_ in ids))
    async with running(create, settings) as second:
        service = second.service
        outcomes = await asyncio.gather(*(service.streams.execute(COUNTER, id_, 2) for id_ in ids))
        for id_, outcome in zip(ids, outcomes, strict=True):
            assert await shown(service, id_, outcome.position) == {"total": 3, "events": 2, "names": []}

        async def all_echoed() -> bool:
            versions = [(await service.streams.load(ECHO, id_)).version for id_ in ids]
            return min(versions) >= 2

        await eventually(all_echoed)
        assert [(await service.streams.load(ECHO, id_)).state for id_ in ids] == [3] * len(ids)


async def test_status_and_health_tell_the_truth(running_service: RunningService) -> None:
    client, service = running_service.client, running_service.service
    assert (await client.get("/health/live")).status_code == 200
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert (await client.get("/ops/status")).status_code == 401
    await service.streams.execute(COUNTER, uuid.uuid4().hex, 1)

    async def caught_up() -> bool:
        status = await service.status()
        return not any(s["backlog"] for s in status["relay"]) and not any(c["lag"] for c in status["consumers"])

    await eventually(caught_up)
    status = await service.status()
    assert {position["name"] for position in status["consumers"]} == {"view:counters:v1", "reaction:echo"}
