"""What a service reads from Kafka: one client fetches for all of its consumers, and each has a place of its own.

Whoever falls behind what is kept for all reads by a client of his own until he has caught up: nobody waits for him.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.bus import ForeignRecord
from chassis.settings import Settings

log = structlog.get_logger()

Fetched = dict[TopicPartition, list[ForeignRecord]]

FETCH_RECORDS = 1_000
WAITING_RECORDS = 2_000
"""So many records of a partition wait for the slowest of those who read together."""
KEPT_RECORDS = 100
"""So many stay when all have read them: whoever comes from behind finds where to join."""
PATIENCE_SECONDS = 0.5
POLL_MS = 500
SHORT_MS = 20
WAKE_MS = 5_000
METADATA_MS = 3_000
FETCH_BYTES = 4 * 1024 * 1024
POSITION_SECONDS = 10
BROKEN_SECONDS = 1.0
BACKOFF_SECONDS = (0.1, 15.0)

_offset = attrgetter("offset")


class _Tail:
    """The latest records of a partition: all that there are from `start` up to `end`."""

    def __init__(self, end: int) -> None:
        self.start = self.end = end
        self.begun = False
        self.readers: set[Reader] = set()
        self._records: list[ForeignRecord] = []
        self._full_since: float | None = None

    def after(self, offset: int, maximum: int) -> list[ForeignRecord]:
        """The next records for somebody who stands at an offset; none when he is behind or there are none yet."""
        if not self.start <= offset < self.end:
            return []
        first = bisect_left(self._records, offset, key=_offset)
        return self._records[first : first + maximum]

    def extend(self, partition: TopicPartition, records: Sequence[ForeignRecord]) -> None:
        """Offsets that go back tell that the topic was lost and made again: then everybody begins with it."""
        if records[0].offset < self.end:
            self._records.clear()
            self.start = records[0].offset
            for reader in self.readers:
                reader.places[partition] = min(reader.places[partition], self.start)
        self._records += records
        self.end = records[-1].offset + 1
        for reader in self.readers:
            reader.wake()

    def has_room(self, partition: TopicPartition) -> bool:
        """Whether to fetch more. Those who are far behind hold up the others for PATIENCE_SECONDS, then they are left.

        Nothing is fetched for nobody: when all are behind, one of them comes up first.
        """
        places = [place for reader in self.readers if (place := reader.places[partition]) >= self.start]
        if not places:
            return False
        waiting = len(self._records) - bisect_left(self._records, min(places), key=_offset)
        if waiting < WAITING_RECORDS:
            self._full_since = None
            self._keep(waiting + KEPT_RECORDS)
            return True
        if max(places) < self.end:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = time.monotonic()
        elif time.monotonic() - self._full_since > PATIENCE_SECONDS:
            self._full_since = None
            self._keep(KEPT_RECORDS)
        return False

    def _keep(self, count: int) -> None:
        if len(self._records) > count:
            del self._records[:-count]
            self.start = self._records[0].offset


class Feed:
    """The partitions that consumers of a process follow, each fetched once. Runs until cancelled."""

    def __init__(self, settings: Settings) -> None:
        self.tails: dict[TopicPartition, _Tail] = {}
        self._settings = settings
        self._kafka: Any = None
        self._first_ends: Mapping[TopicPartition, int] = {}
        self._followed = asyncio.Event()

    async def run(self) -> None:
        """Fetches; begins anew after every failure, a little later each time."""
        low, high = BACKOFF_SECONDS
        backoff = low
        while True:
            await self._followed.wait()
            started = time.monotonic()
            kafka = self.client()
            try:
                await kafka.start()
                self._kafka = kafka
                await self._fetch(kafka)
            except (KafkaError, OSError, TimeoutError) as error:
                backoff = low if time.monotonic() - started > high else min(backoff * 2, high)
                log.warning("feed interrupted", error=f"{type(error).__name__}: {error}", retry_seconds=backoff)
            finally:
                self._kafka = None
                await asyncio.shield(kafka.stop())
            await asyncio.sleep(backoff)

    def client(self) -> Any:
        """A client that reads what it is told to, from where it is told to."""
        return AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            consumer_timeout_ms=WAKE_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=METADATA_MS,
        )

    def follow(self, partition: TopicPartition, reader: Reader, offset: int) -> None:
        """Has a partition fetched from the furthest place at which somebody begins with it."""
        tail = self.tails.setdefault(partition, _Tail(offset))
        if not tail.begun:
            tail.start = tail.end = max(tail.end, offset)
        tail.readers.add(reader)
        self._followed.set()

    def leave(self, partition: TopicPartition, reader: Reader) -> None:
        """Fetches a partition no more when nobody else follows it."""
        if tail := self.tails.get(partition):
            tail.readers.discard(reader)
            if not tail.readers:
                del self.tails[partition]

    def partitions(self, topic: str) -> int:
        """How many a topic has: one a shard, or more when others have made it so."""
        known = self._kafka.partitions_for_topic(topic) if self._kafka else None
        return max(self._settings.shards, len(known or ()))

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of a partition as Kafka last said it, if it has."""
        if self._kafka is None or partition not in self._kafka.assignment():
            return None
        end = self._kafka.highwater(partition)
        return self._first_ends.get(partition) if end is None else end

    async def ends(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The ends of partitions as they are now; empty while Kafka is not at hand."""
        return await self._kafka.end_offsets(list(partitions)) if self._kafka else {}

    async def _settled(self) -> set[TopicPartition]:
        """Consumers come one after the other: to fetch for the first of them keeps the others waiting for POLL_MS.

        So long a fetch waits, too, before it tells the end of a partition in which nothing is new: it is asked before.
        """
        found: set[TopicPartition] = set()
        while self.tails.keys() != found:
            found, self._first_ends = set(self.tails), {}
            await asyncio.sleep(SHORT_MS / 1000)
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(POLL_MS / 1000):
                    self._first_ends = await self.ends(found)
        return found

    async def _fetch(self, kafka: Any) -> None:
        assigned: set[TopicPartition] = set()
        while True:
            if not self.tails:
                self._followed.clear()
                await self._followed.wait()
            if self.tails.keys() != assigned or not all(tail.begun for tail in self.tails.values()):
                assigned = await self._settled()
                kafka.assign(assigned)
                for partition, tail in self.tails.items():
                    tail.begun = True
                    kafka.seek(partition, tail.end)
            room = [partition for partition, tail in self.tails.items() if tail.has_room(partition)]
            if not room:
                await asyncio.sleep(SHORT_MS / 1000)
                continue
            poll_ms = POLL_MS if len(room) == len(assigned) else SHORT_MS
            try:
                fetched = await kafka.getmany(*room, timeout_ms=poll_ms, max_records=FETCH_RECORDS)
            except KafkaError as error:
                log.warning("a partition cannot be read: others go on", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(BROKEN_SECONDS)
                continue
            for partition, records in fetched.items():
                if (found := self.tails.get(partition)) and found.begun:
                    found.extend(partition, [_record(record) for record in records])


class Reader:
    """The places of one consumer in the partitions that it follows: the next offset of each."""

    def __init__(self, feed: Feed) -> None:
        self.places: dict[TopicPartition, int] = {}
        self._feed = feed
        self._news = asyncio.Event()
        self._doubtful: set[TopicPartition] = set()
        self._own: Any = None
        self._own_places: dict[TopicPartition, int] = {}

    def wake(self) -> None:
        """Ends a wait for records."""
        self._news.set()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Goes on with a partition from an offset; follows it from now on."""
        self.places[partition] = offset
        self._feed.follow(partition, self, offset)
        if offset > self._feed.tails[partition].end:
            self._doubtful.add(partition)
        self._news.set()

    def leave(self, partition: TopicPartition) -> None:
        self.places.pop(partition, None)
        self._doubtful.discard(partition)
        self._feed.leave(partition, self)

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of a partition as Kafka last said it, if it has."""
        return self._feed.highwater(partition)

    async def read(self, seconds: float | None, maximum: int) -> Fetched:
        """The next records, when there are some within a time or until something else is the matter: at most so many.

        Raises aiokafka's errors while it reads by itself what lies behind.
        """
        self._news.clear()
        if self._doubtful:
            await self._look_at_ends()
        fetched = self._take(maximum)
        behind = {p: place for p, place in self.places.items() if place < self._feed.tails[p].start}
        if behind:
            return fetched | await self._catch_up(behind, SHORT_MS if not fetched else 0, maximum)
        await self._stop_own()
        if not fetched:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            fetched = self._take(maximum)
        return fetched

    async def close(self) -> None:
        for partition in list(self.places):
            self.leave(partition)
        await asyncio.shield(self._stop_own())

    def _take(self, maximum: int) -> Fetched:
        """Whoever was served goes to the end of the line."""
        fetched: Fetched = {}
        for partition, place in list(self.places.items()):
            records = self._feed.tails[partition].after(place, maximum)
            if records:
                fetched[partition] = records
                del self.places[partition]
                self.places[partition] = records[-1].offset + 1
                maximum -= len(records)
                if not maximum:
                    break
        return fetched

    async def _look_at_ends(self) -> None:
        """A place behind the end of its partition is one in a topic that was lost: it is read from its start."""
        doubtful, self._doubtful = self._doubtful, set()
        for partition, end in (await self._feed.ends(doubtful)).items():
            if self.places.get(partition, 0) > end:
                self.places[partition] = 0

    async def _catch_up(self, behind: Mapping[TopicPartition, int], wait_ms: int, maximum: int) -> Fetched:
        if self._own is None:
            own = self._feed.client()
            try:
                await own.start()
            except BaseException:
                await asyncio.shield(own.stop())
                raise
            self._own = own
        if self._own_places.keys() != behind.keys():
            self._own.assign(list(behind))
            self._own_places = {}
        for partition, place in behind.items():
            if self._own_places.get(partition) != place:
                self._own.seek(partition, place)
        self._own_places = dict(behind)
        found = await self._own.getmany(timeout_ms=wait_ms, max_records=maximum)
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in behind:
                self._own_places[partition] = await self._own.position(partition)
        fetched: Fetched = {}
        for partition, place in behind.items():
            if self.places.get(partition) == place:
                self.places[partition] = self._own_places[partition]
                fetched[partition] = [_record(record) for record in found.get(partition, ())]
        return {partition: records for partition, records in fetched.items() if records}

    async def _stop_own(self) -> None:
        own, self._own, self._own_places = self._own, None, {}
        if own is not None:
            await own.stop()


def _record(record: Any) -> ForeignRecord:
    return ForeignRecord(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp
    )
