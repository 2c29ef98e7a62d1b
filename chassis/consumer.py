"""Applies its share of some topics, a batch at a time; finds its way again whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import TopicPartition

from chassis.applier import BACKOFF_SECONDS, PASSING, Applier, Batch, reason
from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint, Fenced
from chassis.database import Pool
from chassis.feed import Feed, Reader
from chassis.gaps import Gap, Selection, select
from chassis.settings import Settings
from chassis.shares import Look, Shares
from chassis.sources import ForeignSource, LogSource
from chassis.tasks import heed_cancellation
from chassis.telemetry import meter

log = structlog.get_logger()

BATCH_RECORDS = 1_000
SAVE_SECONDS = 0.1
SEARCH_SECONDS = 0.5

duplicate_records = meter.create_counter("portico_consumer_duplicates", description="Records dropped as duplicates")
stopped_partitions = meter.create_counter("portico_consumer_gaps", description="Stops at a missing sequence")


class Reading:
    """What the consumers of a service share: a client of Kafka, the work with other instances, and connections."""

    def __init__(self, service: str, settings: Settings, pool: Pool) -> None:
        self.feed = Feed(settings)
        self.shares = Shares(service, settings)
        self.pool = pool
        self._settings = settings

    def partitions(self, topics: Sequence[str], look: Look) -> set[TopicPartition]:
        """This instance's share of topics."""
        names = [self._settings.topic(topic) for topic in topics]
        partitions = [TopicPartition(name, number) for name in names for number in range(self.feed.partitions(name))]
        return look.share(partitions, self._settings.shards)


class Consumer:
    """Reads its share of the topics of a source. Runs until cancelled."""

    def __init__(self, applier: Applier, reading: Reading, batch_records: int = BATCH_RECORDS) -> None:
        self.applier = applier
        self.source: LogSource | ForeignSource = applier.source
        self.checkpoints = applier.checkpoints
        self._reading = reading
        self._batch_records = batch_records
        self._reader = Reader(reading.feed)
        self._look: Look | None = None
        self._claims: dict[TopicPartition, Checkpoint] = {}
        self._behind: dict[TopicPartition, int | None] = {}
        self._caught_up = False
        self._gaps: dict[TopicPartition, Gap] = {}
        self._joined = False
        self._idle_at = self._save_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether it has its partitions, and has applied what was in them when it began or when they were new to it."""
        return self._joined and self._caught_up and not self._behind

    async def run(self) -> None:
        """Takes part and applies; begins anew after every failure, a little later each time."""
        low, high = BACKOFF_SECONDS
        backoff = low
        while True:
            started = time.monotonic()
            try:
                async with self._reading.pool.connection() as connection:
                    await self.source.prepare(connection)
                await self._session()
            except PASSING as error:
                backoff = low if time.monotonic() - started > high else min(backoff * 2, high)
                log.warning(
                    "consumer interrupted", consumer=self.source.name, error=reason(error), retry_seconds=backoff
                )
            self._joined = False
            await asyncio.sleep(backoff)

    def positions(self) -> list[dict[str, Any]]:
        """Where each partition at hand stands and how many records it is behind its end."""
        return [
            {
                "name": self.source.name,
                "topic": partition.topic,
                "partition": partition.partition,
                "position": claim.sequence,
                "lag": self._lag(partition, claim),
                "stopped_at_gap": partition in self._gaps and self._gaps[partition].reported,
            }
            for partition, claim in sorted(self._claims.items())
        ]

    async def _session(self) -> None:
        self._look = None
        try:
            with self._reading.shares.joined(self.source.name, self._told):
                while True:
                    heed_cancellation()
                    fetched = await self._reader.read(self._patience(), self._batch_records)
                    try:
                        await self._take(fetched)
                        await self._between_batches()
                    except Fenced as error:
                        log.warning("consumer overtaken", consumer=self.source.name, error=str(error))
                        await self._read_again()
        finally:
            for partition in list(self._claims):
                self._forget(partition)
            await self._reader.close()

    def _patience(self) -> float | None:
        """For how long to wait for records: for ever, when there is nothing else to do."""
        if self._look:
            return 0
        if self._behind or any(claim.unsaved for claim in self._claims.values()):
            return SAVE_SECONDS
        return SEARCH_SECONDS if self._gaps else self.source.idle_seconds

    def _told(self, look: Look) -> None:
        """What was seen while a batch was under way may be of a moment ago: a difference is looked into afterwards."""
        moved = any(
            (found := look.stored.get(partition)) is None or (found.fence, found.sequence) != (claim.fence, claim.saved)
            for partition, claim in self._claims.items()
        )
        if moved or not self._joined or self._share(look) != self._claims.keys():
            self._look = look
            self._reader.wake()

    def _share(self, look: Look) -> set[TopicPartition]:
        return self._reading.partitions(self.source.topics, look)

    async def _heed(self, look: Look) -> None:
        share = self._share(look)
        for partition in self._claims.keys() - share:
            self._forget(partition)
        if self._claims:
            await self._look_at_database()
        for partition in sorted(share - self._claims.keys()):
            claim = await self.checkpoints.claim(partition.topic, partition.partition)
            self._go_on(partition, claim)
            if claim.next_offset == 0 or not self._caught_up:
                self._behind[partition] = None
        self._joined = True

    async def _take(self, fetched: Mapping[TopicPartition, Sequence[ForeignRecord]]) -> None:
        """Applies what is new, whatever partitions it is of, in one transaction.

        What nobody wants passes without one; the database hears of it by the way, or after SAVE_SECONDS.
        """
        claims = dict(self._claims)
        chosen = {p: self._choose(p, records, claims[p]) for p, records in fetched.items() if p in claims}
        batches: list[Batch] = []
        for partition, claim in claims.items():
            records = chosen[partition].batch if partition in chosen else []
            now = chosen[partition].checkpoint if partition in chosen else claim
            if records or claim.unsaved:
                batches.append(Batch(partition, records, claim, now.moved(now.sequence, now.next_offset)))
            elif partition in chosen:
                self._settle(partition, now, chosen[partition].gap)
        wanted = any(self.source.wants(record) for batch in batches for record in batch.records)
        if wanted or time.monotonic() >= self._save_at:
            if batches:
                await self.applier.apply(batches)
            self._save_at = time.monotonic() + SAVE_SECONDS
        else:
            batches = [replace(b, now=b.claim.passed(b.now.sequence, b.now.next_offset)) for b in batches]
        await self.checkpoints.committed({batch.partition: batch.now for batch in batches})
        for batch in batches:
            gap = chosen[batch.partition].gap if batch.partition in chosen else self._gaps.get(batch.partition)
            self._settle(batch.partition, batch.now, gap)
        duplicate_records.add(sum(one.duplicates for one in chosen.values()), {"consumer": self.source.name})

    def _choose(self, partition: TopicPartition, records: Sequence[ForeignRecord], claim: Checkpoint) -> Selection:
        """Offsets that go back, where they are all there is, tell that the topic was lost and made again."""
        if self.source.gapless:
            return select(records, self.source.sequence, claim, self._gaps.get(partition))
        after = records[-1].offset + 1
        return Selection(list(records), claim.moved(after, after), None, 0)

    def _settle(self, partition: TopicPartition, claim: Checkpoint, gap: Gap | None) -> None:
        self._claims[partition] = claim
        if gap is None:
            self._gaps.pop(partition, None)
            return
        if partition not in self._gaps:
            log.warning("gap: looking for what is missing", consumer=self.source.name, partition=partition.partition)
        self._gaps[partition] = gap

    def _look_for_missing(self, partition: TopicPartition, gap: Gap) -> None:
        """At the end of a partition with something missing: once more from its start; if in vain, an alert."""
        end = self._reader.highwater(partition)
        if gap.reported or end is None or self._reader.places[partition] < end:
            return
        if not gap.rewound:
            self._gaps[partition] = replace(gap, offset=0, rewound=True)
            self._reader.seek(partition, 0)
            return
        self._gaps[partition] = replace(gap, reported=True)
        stopped_partitions.add(1, {"consumer": self.source.name})
        log.error(
            "gap: partition stopped",
            consumer=self.source.name,
            topic=partition.topic,
            partition=partition.partition,
            missing=self._claims[partition].sequence + 1,
        )

    def _look_for_ends(self) -> None:
        """The end that counts is the first that is seen: later ones may run away for ever."""
        for partition, seen in list(self._behind.items()):
            end = self._behind[partition] = self._reader.highwater(partition) if seen is None else seen
            gap = self._gaps.get(partition)
            if (gap and gap.reported) or (end is not None and self._claims[partition].next_offset >= end):
                del self._behind[partition]
        self._caught_up |= self._joined and not self._behind

    async def _between_batches(self) -> None:
        if look := self._look:
            self._look = None
            await self._heed(look)
        for partition, gap in list(self._gaps.items()):
            self._look_for_missing(partition, gap)
        self._look_for_ends()
        now = time.monotonic()
        if self.source.idle_seconds is not None and now >= self._idle_at and self._claims:
            self._idle_at = now + self.source.idle_seconds
            await self.applier.idle(self._claims)
            self.applier.after_commit()

    async def _read_again(self) -> None:
        """What was read for a transaction that another instance or a swap of tables has undone."""
        await self._look_at_database()
        for partition, claim in self._claims.items():
            self._reader.seek(partition, claim.next_offset)

    async def _look_at_database(self) -> None:
        """Goes on from where the database stands.

        A crash of PostgreSQL takes the last moments of a view with it, a swap of tables moves checkpoints, another
        instance takes them over, and nobody comes to tell.
        """
        stored = await self.checkpoints.stored()
        for partition, claim in list(self._claims.items()):
            found = stored.get(partition)
            if found is None or found.fence != claim.fence:
                log.warning("partition was taken over", consumer=self.source.name, partition=partition.partition)
                self._forget(partition)
                self._reading.shares.look()
            elif found.sequence != claim.saved:
                log.warning("checkpoint was moved", consumer=self.source.name, at=claim.saved, now=found.sequence)
                self._go_on(partition, found)

    def _go_on(self, partition: TopicPartition, claim: Checkpoint) -> None:
        self._claims[partition] = claim
        self._gaps.pop(partition, None)
        self._reader.seek(partition, claim.next_offset)

    def _forget(self, partition: TopicPartition) -> None:
        self._claims.pop(partition, None)
        self._gaps.pop(partition, None)
        self._behind.pop(partition, None)
        self._reader.leave(partition)

    def _lag(self, partition: TopicPartition, claim: Checkpoint) -> int:
        return max(0, (self._reader.highwater(partition) or 0) - claim.next_offset)
