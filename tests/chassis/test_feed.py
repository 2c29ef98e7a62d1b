"""One client fetches for all consumers of a service: each reads everything from its place, none waits for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from chassis import feed as feeds
from chassis.feed import Feed, Reader
from chassis.settings import Settings
from chassis.tasks import ended
from chassis.testing import eventually
from chassis.topics import ensure_topics
from contracts.topics import TOPICS
from tests.chassis.test_service import settings

__all__ = ["settings"]

SECONDS = 20.0
TOPIC = "billing"


class Counted(Feed):
    """Counts its clients."""

    clients = 0

    def client(self) -> Any:
        self.clients += 1
        return super().client()


class Patient(Counted):
    """Its fetches wait for news longer than any test."""

    def client(self) -> Any:
        client = super().client()
        client._fetch_max_wait_ms = 30_000
        return client


@pytest.fixture(params=[Counted])
async def feed(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Counted]:
    await ensure_topics(settings, [topic for topic in TOPICS if topic.name == TOPIC])
    made: Counted = request.param(settings)
    task = asyncio.create_task(made.run())
    yield made
    await ended([task])


@asynccontextmanager
async def reader(feed: Feed, *places: tuple[TopicPartition, int]) -> AsyncIterator[Reader]:
    made = Reader(feed)
    for partition, offset in places:
        made.seek(partition, offset)
    try:
        yield made
    finally:
        await made.close()


async def send(settings: Settings, *values: int, partition: int = 0) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_servers, linger_ms=5) as producer:
        sent = [await producer.send(settings.topic(TOPIC), b"%d" % value, partition=partition) for value in values]
        await asyncio.gather(*sent)


async def read(reader: Reader, count: int, maximum: int = 1_000) -> list[int]:
    """The next values, whatever partitions they are of; as many and no more."""
    found: list[int] = []
    async with asyncio.timeout(SECONDS):
        while len(found) < count:
            fetched = await reader.read(0.1, maximum)
            assert sum(map(len, fetched.values())) <= maximum
            found += [int(record.value or b"") for records in fetched.values() for record in records]
    return found


async def test_consumers_share_a_client_and_each_reads_everything(settings: Settings, feed: Counted) -> None:
    partitions = [(TopicPartition(settings.topic(TOPIC), number), 0) for number in range(4)]
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(reader(feed, *partitions)) for _ in range(5)]
        for number in range(4):
            await send(settings, *range(number * 10, number * 10 + 10), partition=number)
        for each in readers:
            assert sorted(await read(each, 40, maximum=7)) == list(range(40))
    assert feed.clients == 1
    assert not feed.tails


async def test_who_begins_behind_reads_by_himself_until_he_has_caught_up(settings: Settings, feed: Counted) -> None:
    partition = TopicPartition(settings.topic(TOPIC), 0)
    await send(settings, *range(500))
    async with reader(feed, (partition, 500)) as first, reader(feed, (partition, 0)) as behind:
        assert await read(behind, 500) == list(range(500))
        await send(settings, 500, 501)
        assert await read(first, 2) == await read(behind, 2) == [500, 501]
        assert feed.clients == 2
        behind.seek(partition, 400)
        assert await read(behind, 102) == list(range(400, 502))
        await read(behind, 0)
        await send(settings, 502)
        assert await read(first, 1) == await read(behind, 1) == [502]


async def test_who_comes_when_another_has_gone_begins_at_his_own_place(settings: Settings, feed: Counted) -> None:
    partition = TopicPartition(settings.topic(TOPIC), 0)
    await send(settings, *range(20))
    async with reader(feed, (partition, 0)) as before:
        assert await read(before, 20) == list(range(20))
    async with reader(feed, (partition, 5)) as after:
        assert await read(after, 15) == list(range(5, 20))


@pytest.mark.parametrize("feed", [Patient], indirect=True)
async def test_the_end_is_known_before_anything_new_comes(settings: Settings, feed: Counted) -> None:
    partition = TopicPartition(settings.topic(TOPIC), 0)
    await send(settings, *range(20))
    async with reader(feed, (partition, 20)) as at_the_end:

        async def end() -> int | None:
            return at_the_end.highwater(partition)

        assert await eventually(end) == 20


async def test_nobody_waits_for_the_slowest(settings: Settings, feed: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "WAITING_RECORDS", 100)
    monkeypatch.setattr(feeds, "FETCH_RECORDS", 50)
    monkeypatch.setattr(feeds, "KEPT_RECORDS", 10)
    partition = TopicPartition(settings.topic(TOPIC), 0)
    async with reader(feed, (partition, 0)) as fast, reader(feed, (partition, 0)) as slow:
        await send(settings, *range(400))
        assert await read(fast, 400) == list(range(400))
        assert len(feed.tails[partition].after(feed.tails[partition].start, 1_000)) <= 150
        assert await read(slow, 400) == list(range(400))
        await send(settings, 400)
        assert await read(fast, 1) == await read(slow, 1) == [400]


async def test_a_place_behind_the_end_is_one_in_a_topic_that_was_lost(settings: Settings, feed: Counted) -> None:
    partition = TopicPartition(settings.topic(TOPIC), 0)
    await send(settings, *range(20))
    async with reader(feed, (partition, 15)) as right, reader(feed) as lost:
        assert await read(right, 5) == [15, 16, 17, 18, 19]
        lost.seek(partition, 4_000)
        assert await read(lost, 20) == list(range(20))
        assert await right.read(0.01, 10) == {}
