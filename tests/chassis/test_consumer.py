"""Consumers whose topic is lost and made again: others' topics, and parked records of another life of a topic."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from chassis.bus import ForeignRecord
from chassis.decider import Decider, Do
from chassis.log import Connection
from chassis.reactions import Reaction
from chassis.relay import Relay
from chassis.restore import restore
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import eventually, running
from chassis.texts import Texts
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.topics import TOPICS
from tests.chassis.conftest import SHARDS
from tests.chassis.events import COUNTER, ECHO, POISON, Increased, echo
from tests.chassis.test_service import create, document, settings

__all__ = ["settings"]


class Unheard(Event, service="billing", wire_name="TestUnheard"):
    """Something that no view shows."""


UNHEARD: Decider[None, None] = Decider("unheard", None, lambda _, __: [Unheard()], lambda state, _: state)
EVENTS = 200


class Inbox:
    """Notes what it is given."""

    name = "inbox"

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    async def apply(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        self.values += [record.value for record in records]

    async def idle(self, connection: Connection, partitions: Sequence[int]) -> None:
        pass


async def make_again(settings: Settings, name: str) -> None:
    """Deletes a topic and makes it once more, empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers)
    await admin.start()
    try:
        await admin.delete_topics([settings.topic(name)])

        async def gone() -> bool:
            return settings.topic(name) not in await admin.list_topics()

        await eventually(gone)
    finally:
        await admin.close()
    await ensure_topics(settings, [topic for topic in TOPICS if topic.name == name])


async def send(settings: Settings, name: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_servers) as producer:
        for value in values:
            await producer.send_and_wait(settings.topic(name), value, partition=0)


async def test_a_topic_of_others_that_is_made_again_is_read_from_its_start(settings: Settings) -> None:
    inbox = Inbox()

    def create_inbox(settings: Settings) -> Service:
        service = Service("billing", settings, Texts({}))
        service.consume_foreign("erp.in", inbox)
        return service

    async with running(create_inbox, settings):
        await send(settings, "erp.in", b"1", b"2", b"3")
        await eventually(lambda: _has(inbox, 3))
        await make_again(settings, "erp.in")
        await send(settings, "erp.in", b"4")
        await eventually(lambda: _has(inbox, 4), 30)
        await send(settings, "erp.in", b"5")
        await eventually(lambda: _has(inbox, 5))
    assert inbox.values == [b"1", b"2", b"3", b"4", b"5"]


def fragile(envelope: Envelope) -> list[Do[int, int]]:
    assert isinstance(envelope.event, Increased)
    if envelope.event.by == POISON:
        raise ZeroDivisionError("poison")
    return echo(envelope)


async def test_a_reaction_whose_batch_is_taken_apart_sees_what_its_parts_have_done(settings: Settings) -> None:
    """One stream is reacted to several times, in parts of one transaction, when something else in the batch fails."""
    id_, poisoned = uuid.uuid4().hex, uuid.uuid4().hex

    def create_writer(settings: Settings) -> Service:
        return Service("billing", settings, Texts({}))

    def create_reactor(settings: Settings) -> Service:
        service = create_writer(settings)
        service.react(Reaction("fragile", (Increased,), fragile))
        return service

    async with running(create_writer, settings) as writer:
        streams, relay = writer.service.streams, writer.service.relay
        for by in (1, 2, 3):
            await streams.execute(COUNTER, id_, by)
        await streams.execute(COUNTER, poisoned, POISON)
        heads = await writer.service.log.heads()
        await eventually(lambda: _published(relay, heads))
    async with running(create_reactor, settings) as reactor:
        (consumer,) = reactor.service.consumers

        async def parked() -> bool:
            return await consumer.applier.parking.count() == 1

        await eventually(parked, 20)

        async def echoed() -> bool:
            return (await reactor.service.streams.load(ECHO, id_)).state == 6

        await eventually(echoed)
        await consumer.applier.drop(f"counter/{poisoned}")


async def _published(relay: Relay, heads: dict[int, int]) -> bool:
    return relay.published == heads


async def _has(inbox: Inbox, count: int) -> bool:
    return len(inbox.values) >= count


async def test_what_nobody_wants_is_passed_and_its_position_is_kept_soon(settings: Settings) -> None:
    """Many such events cost few transactions; waiting for their positions takes no longer than for others'."""
    async with running(create, settings) as ours:
        service = ours.service
        consumer = next(one for one in service.consumers if one.source.name.startswith("view:"))
        transactions = 0
        begin = consumer.checkpoints.begin

        async def counted(*arguments: Any) -> frozenset[str]:
            nonlocal transactions
            transactions += 1
            return await begin(*arguments)

        consumer.checkpoints.begin = counted  # type: ignore[method-assign]
        for number in range(EVENTS):
            outcome = await service.streams.execute(UNHEARD, str(number), None)
        assert await consumer.checkpoints.wait(
            settings.topic("billing"), outcome.position.shard, outcome.position.sequence
        )

        async def saved() -> bool:
            stored = await consumer.checkpoints.stored()
            heads = await service.log.heads()
            return {partition.partition: claim.sequence for partition, claim in stored.items()} == heads

        await eventually(saved)
        assert transactions < EVENTS / 2


@pytest.mark.parametrize("again", [True, False], ids=["topic made again", "topic kept"])
async def test_parked_events_keep_their_order_whatever_their_offsets(settings: Settings, again: bool) -> None:
    """In the new topic the later events of the stream have offsets that earlier ones had in the old one."""
    async with running(create, settings) as ours:
        service, id_ = ours.service, uuid.uuid4().hex
        applier = next(one.applier for one in service.consumers if one.source.name.startswith("view:"))
        last = None
        for by in (1, POISON, 2, POISON):
            last = await service.streams.execute(COUNTER, id_, by)

        async def parked(count: int) -> bool:
            return sum(entry["count"] for entry in await applier.parking.listed()) == count

        await eventually(lambda: parked(3))
        if again:
            await make_again(settings, "billing")
        for by in (3, 4, 5):
            last = await service.streams.execute(COUNTER, id_, by)
        assert last is not None
        if again:
            _ = [state async for state in restore(service.log, settings, range(SHARDS))]
        await eventually(lambda: parked(6), 30)
        assert await applier.drop(f"counter/{id_}") == 1
        assert await applier.retry(f"counter/{id_}") == 1
        assert await applier.drop(f"counter/{id_}") == 1
        assert await applier.retry(f"counter/{id_}") == 3
        assert (await document(service, id_) or {})["total"] == 1 + 2 + 3 + 4 + 5
