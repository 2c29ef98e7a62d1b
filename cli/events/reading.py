"""Reads topics by assignment and seeking: no group, no commits, so that no live consumer notices."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from chassis.log import shard_of
from cli.events.place import Place
from cli.events.seen import Seen, see
from cli.events.since import Since
from cli.problem import Problem
from contracts.ids import Position

POLL_MS = 200
BATCH = 2_000
HELD_BACK = 10_000
STALL_SECONDS = 2.0
SILENCE_SECONDS = 30.0
STOP_SECONDS = 5.0
REQUEST_MS = 10_000
MAXIMUM_STREAM = 10_000
PROBES = 80

Offsets = Mapping[TopicPartition, int]
Wanted = Callable[[ConsumerRecord], bool]


@asynccontextmanager
async def open_reader(place: Place, services: Sequence[str]) -> AsyncIterator[Reader]:
    """A reader of the topics of these services. Raises a Problem when Kafka or all of the topics cannot be found."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.kafka_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        partitions = await _partitions(place, services)
        await consumer.start()
        await asyncio.sleep(0)  # aiokafka cannot stop before its own tasks have begun
        yield Reader(consumer, partitions)
    except (KafkaError, OSError) as error:
        raise Problem(
            f"Kafka at {place.kafka_servers} does not answer: {error}",
            "Start Portico (`portico up`), or set PORTICO_KAFKA_SERVERS to where Kafka is.",
        ) from error
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await consumer.stop()


async def _partitions(place: Place, services: Sequence[str]) -> list[TopicPartition]:
    client = AIOKafkaClient(bootstrap_servers=place.kafka_servers, request_timeout_ms=REQUEST_MS)
    try:
        await client.bootstrap()
        cluster = await client.fetch_all_metadata()
    finally:
        await client.close()
    topics = {place.topic(name): cluster.partitions_for_topic(place.topic(name)) or () for name in services}
    found = [TopicPartition(topic, number) for topic, numbers in topics.items() for number in sorted(numbers)]
    if not found:
        raise Problem(
            f"There is no topic {' or '.join(topics)} at {place.kafka_servers}.",
            "`portico migrate` makes the topics. PORTICO_TOPIC_PREFIX says how their names begin.",
        )
    return found


@dataclass(frozen=True)
class Reader:
    """Reads from partitions of our topics."""

    consumer: AIOKafkaConsumer
    partitions: list[TopicPartition]

    async def beginnings(self) -> Offsets:
        found: Offsets = await self.consumer.beginning_offsets(self.partitions)
        return found

    async def ends(self) -> Offsets:
        found: Offsets = await self.consumer.end_offsets(self.partitions)
        return found

    async def offsets_since(self, since: Since) -> Offsets:
        """Where records since a time begin; since a position: that event, and elsewhere what was published with it."""
        if isinstance(since, Position):
            found = await self.find(since)
            others = await self._offsets_at(found.timestamp)
            return {**others, TopicPartition(found.topic, found.partition): found.offset}
        return await self._offsets_at(int(since.timestamp() * 1000))

    async def _offsets_at(self, timestamp: int) -> Offsets:
        asked = dict.fromkeys(self.partitions, max(0, timestamp))
        found, ends = await self.consumer.offsets_for_times(asked), await self.ends()
        return {partition: ends[partition] if place is None else place.offset for partition, place in found.items()}

    async def records(
        self, starts: Offsets, ends: Offsets | None, wanted: Wanted | None = None
    ) -> AsyncIterator[list[Seen]]:
        """What stands from `starts` up to `ends`, or for ever without them, in the order of time, in batches."""
        self.consumer.assign(list(starts))
        for partition, offset in starts.items():
            self.consumer.seek(partition, offset)
        known = await self.ends() if ends is None else ends
        queues: dict[TopicPartition, deque[Seen]] = {partition: deque() for partition in starts}
        progress = time.monotonic()
        while True:
            fetched = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            for partition, records in fetched.items():
                limit = None if ends is None else ends[partition]
                kept = [one for one in records if limit is None or one.offset < limit]
                queues[partition].extend(see(one) for one in kept if wanted is None or wanted(one))
            behind = {partition for partition in starts if await self._is_behind(partition, known)}
            waited = time.monotonic() - progress
            ready = _in_order(queues, set() if waited > STALL_SECONDS else behind)
            self._hold_back(queues)
            if fetched or ready:
                progress = time.monotonic()
            elif ends is not None and waited > SILENCE_SECONDS:
                raise Problem("Kafka stopped answering.", "`portico status` says how it is.")
            if ready:
                yield ready
            if ends is not None and not behind and not any(queues.values()):
                return

    async def _is_behind(self, partition: TopicPartition, known: Offsets) -> bool:
        position: int = await self.consumer.position(partition)
        return position < known[partition]

    def _hold_back(self, queues: Mapping[TopicPartition, deque[Seen]]) -> None:
        """A partition that is far ahead of the others waits for them, so that little is kept in memory."""
        for partition, queue in queues.items():
            if len(queue) > HELD_BACK:
                self.consumer.pause(partition)
            elif partition in self.consumer.paused():
                self.consumer.resume(partition)

    async def find(self, position: Position) -> Seen:
        """The event at a position; a Problem when it is not on its topic (any more)."""
        partition = next(
            (one for one in self.partitions if _is_of(one, position.service) and one.partition == position.shard), None
        )
        if partition is None:
            raise Problem(f"There is no {position}: {position.service} has no shard {position.shard}.")
        self.consumer.assign([partition])
        low, high = (await self.beginnings())[partition], (await self.ends())[partition]
        end, guess = high, low + position.sequence - 1
        for _ in range(PROBES):
            if low >= high:
                break
            seen = await self._next_readable(partition, min(max(guess, low), high - 1), high)
            if seen is None or seen.sequence > position.sequence:
                high = min(max(guess, low), high - 1)
            elif seen.sequence < position.sequence:
                low = seen.offset + 1
            else:
                return seen
            guess = (low + high) // 2
        raise Problem(
            f"There is no event {position} on {partition.topic}.",
            f"The partition holds {end} records or fewer; an operator may have told it to keep less than everything.",
        )

    async def _next_readable(self, partition: TopicPartition, offset: int, end: int) -> Seen | None:
        """The first record from an offset on that has a sequence."""
        self.consumer.seek(partition, offset)
        while offset < end:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    seen = see(await self.consumer.getone(partition))
            except TimeoutError:
                raise Problem("Kafka stopped answering.", "`portico status` says how it is.") from None
            if seen.offset >= end:
                return None
            if seen.sequence:
                return seen
            offset = seen.offset + 1
        return None

    async def stream(self, name: str) -> list[Seen]:
        """All events of a stream, each once. It lives in one partition of one of the topics."""
        topics = {partition.topic for partition in self.partitions}
        counts = {topic: sum(one.topic == topic for one in self.partitions) for topic in topics}
        likely = [one for one in self.partitions if one.partition == shard_of(name, counts[one.topic])]
        return await self._of_key(name, likely) or await self._of_key(name, set(self.partitions) - set(likely))

    async def _of_key(self, name: str, partitions: Iterable[TopicPartition]) -> list[Seen]:
        chosen, key = set(partitions), name.encode()
        if not chosen:
            return []
        starts = {one: offset for one, offset in (await self.beginnings()).items() if one in chosen}
        ends = {one: offset for one, offset in (await self.ends()).items() if one in chosen}
        found: dict[object, Seen] = {}
        async for batch in self.records(starts, ends, lambda record: record.key == key):
            for seen in batch:
                found.setdefault(seen.record.position if seen.record else (seen.topic, seen.offset), seen)
            if len(found) > MAXIMUM_STREAM:
                raise Problem(f"{name} has more than {MAXIMUM_STREAM:,} events.", f"Use `events tail --stream {name}`.")
        return sorted(found.values(), key=lambda seen: seen.record.version if seen.record else 0)


def _is_of(partition: TopicPartition, service: str) -> bool:
    return bool(partition.topic.rpartition(".")[2] == service)


def _in_order(queues: Mapping[TopicPartition, deque[Seen]], behind: set[TopicPartition]) -> list[Seen]:
    """Takes what may be shown: as long as no partition that is behind could still bring something older."""
    ready: list[Seen] = []
    while not any(not queues[partition] for partition in behind):
        filled = [queue for queue in queues.values() if queue]
        if not filled:
            break
        ready.append(min(filled, key=lambda queue: queue[0].time).popleft())
    return ready
