"""Refills a lost topic from the log: makes it where it is missing and publishes what it lacks, while all else runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis.bus import SEND_SECONDS, open_producer
from chassis.errors import Unavailable
from chassis.log import EventLog
from chassis.topics import TopicSettings
from contracts.envelope import Record
from contracts.ids import Position

PAGE = 1_000
POLL_MS = 500
SILENCE_SECONDS = 30.0
MAXIMUM_ROUNDS = 100
FETCH_BYTES = 4 * 1024 * 1024
BATCH_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done for a shard: of `head` events the first `present` stood on its partition in their order."""

    shard: int
    head: int
    present: int
    published: int


async def restore(log: EventLog, settings: TopicSettings, shards: Sequence[int]) -> AsyncIterator[Restored]:
    """Publishes in order what follows the last event that these partitions of the log's topic have in order.

    What the relay publishes meanwhile may stand before it and is published again, so that nobody who reads on from
    anywhere ends without it. Tells how far it is after every page; the last word on a shard comes before the first on
    the next. The topic must exist. Safe to repeat and to break off. Raises Unavailable when Kafka stops answering.
    """
    async with open_producer(settings, max_batch_size=BATCH_BYTES) as producer:
        for shard in shards:
            partition = TopicPartition(settings.topic(log.service), shard)
            head = (await log.heads())[shard]
            state = Restored(shard, head, await _in_order(settings, partition, head), 0)
            yield state
            for _ in range(MAXIMUM_ROUNDS):
                async for published in _fill(log, producer, partition, state.present + state.published, state.head):
                    state = replace(state, published=published - state.present)
                    yield state
                head = (await log.heads())[shard]
                if head == state.head or not state.published:
                    break
                state = replace(state, head=head)


async def _fill(
    log: EventLog, producer: AIOKafkaProducer, partition: TopicPartition, after: int, head: int
) -> AsyncIterator[int]:
    """Publishes what comes after a sequence, up to another; yields the last one published."""
    while after < head and (records := await log.read(partition.partition, after, min(PAGE, head - after))):
        await _publish(producer, partition, records)
        after = records[-1].position.sequence
        yield after


async def _in_order(settings: TopicSettings, partition: TopicPartition, head: int) -> int:
    """Up to which sequence, the head at most, a partition has all events one after the other, whatever is between."""
    found = 0
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        heard = time.monotonic()
        while found < head and await consumer.position(partition) < end:
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=PAGE)
            for record in fetched.get(partition, ()):
                found += _sequence(record.headers, partition.partition) == found + 1
            if fetched:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise Unavailable(f"Kafka stopped answering for {partition.topic}/{partition.partition}")
    finally:
        await consumer.stop()
    return min(found, head)


def _sequence(headers: Sequence[tuple[str, bytes]], shard: int) -> int:
    """0 for a record that is none of ours."""
    for name, value in headers:
        if name == "ce_id":
            try:
                position = Position.parse(value.decode())
            except ValueError:
                return 0
            return position.sequence if position.shard == shard else 0
    return 0


async def _publish(producer: AIOKafkaProducer, partition: TopicPartition, records: Sequence[Record]) -> None:
    """In order, as the relay does; with the time of the event, so that a topic can be searched by time as before."""
    now = datetime.now(UTC)
    async with asyncio.timeout(SEND_SECONDS):
        sent = [
            await producer.send(
                partition.topic,
                record.data,
                key=record.stream.encode(),
                partition=partition.partition,
                timestamp_ms=int(min(record.time, now).timestamp() * 1000),
                headers=record.headers(),
            )
            for record in records
        ]
        await asyncio.gather(*sent)
