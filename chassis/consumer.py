"""Reads topics in a group and applies them a batch of a partition at a time; finds its way again whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from chassis.applier import BACKOFF_SECONDS, PASSING, Applier, Batch, reason
from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint, Fenced, Moved
from chassis.database import Pool
from chassis.gaps import Gap, Selection, select
from chassis.settings import Settings
from chassis.sources import ForeignSource, LogSource
from chassis.telemetry import meter

log = structlog.get_logger()

BATCH_RECORDS = 1_000
POLL_MS = 500
SAVE_MS = 100
HEARTBEATS = 5
LOOK_SECONDS = 2.0
MAXIMUM_POLL_MS = 300_000
METADATA_MS = 3_000
FETCH_BYTES = 4 * 1024 * 1024

duplicate_records = meter.create_counter("portico_consumer_duplicates", description="Records dropped as duplicates")
stopped_partitions = meter.create_counter("portico_consumer_gaps", description="Stops at a missing sequence")


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the topics of a source in a group of its own. Runs until cancelled."""

    def __init__(
        self, applier: Applier, service: str, settings: Settings, pool: Pool, batch_records: int = BATCH_RECORDS
    ) -> None:
        self.applier = applier
        self.source: LogSource | ForeignSource = applier.source
        self.checkpoints = applier.checkpoints
        self._settings = settings
        self._group = f"{settings.topic_prefix}.{service}.{self.source.name}"
        self._pool = pool
        self._batch_records = batch_records
        self._kafka: Any = None
        self._claims: dict[TopicPartition, Checkpoint] = {}
        self._behind: dict[TopicPartition, int | None] = {}
        self._caught_up = False
        self._gaps: dict[TopicPartition, Gap] = {}
        self._joined = False
        self._idle_at = self._look_at = self._save_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether it has its partitions, and has applied what was in them when it began or when they were new to it."""
        return self._joined and self._caught_up and not self._behind

    async def run(self) -> None:
        """Joins the group and applies; joins again after every failure, a little later each time."""
        low, high = BACKOFF_SECONDS
        backoff = low
        while True:
            started = time.monotonic()
            try:
                async with self._pool.connection() as connection:
                    await self.source.prepare(connection)
                await self._session()
            except (*PASSING, Fenced) as error:
                backoff = low if time.monotonic() - started > high else min(backoff * 2, high)
                log.warning(
                    "consumer interrupted", consumer=self.source.name, error=reason(error), retry_seconds=backoff
                )
            self._joined = False
            await asyncio.sleep(backoff)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for partition in revoked:
            self._forget(partition)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for partition in assigned:
            claim = await self.checkpoints.claim(partition.topic, partition.partition)
            self._go_on(partition, claim)
            if claim.next_offset == 0 or not self._caught_up:
                self._behind[partition] = None
        self._joined = True

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
        self._kafka = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._settings.consumer_session_ms,
            heartbeat_interval_ms=self._settings.consumer_session_ms // HEARTBEATS,
            max_poll_interval_ms=MAXIMUM_POLL_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=METADATA_MS,
        )
        self._kafka.subscribe(topics=[self._settings.topic(name) for name in self.source.topics], listener=self)
        try:
            await self._kafka.start()
            while True:
                poll_ms = SAVE_MS if any(claim.unsaved for claim in self._claims.values()) else POLL_MS
                fetched = await self._kafka.getmany(timeout_ms=poll_ms, max_records=self._batch_records)
                await self._take({p: [_record(r) for r in records] for p, records in fetched.items()})
                await self._between_batches()
        finally:
            for partition in list(self._claims):
                self._forget(partition)
            await asyncio.shield(self._kafka.stop())

    async def _take(self, fetched: Mapping[TopicPartition, Sequence[ForeignRecord]]) -> None:
        """Applies what is new, whatever partitions it is of, in one transaction.

        What nobody wants passes without one; the database hears of it by the way, or after SAVE_MS.
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
            if batches and not await self._apply(batches):
                return
            self._save_at = time.monotonic() + SAVE_MS / 1000
        else:
            batches = [replace(b, now=b.claim.passed(b.now.sequence, b.now.next_offset)) for b in batches]
        await self.checkpoints.committed({batch.partition: batch.now for batch in batches})
        for batch in batches:
            if self._holds(batch.partition, batch.claim):
                gap = chosen[batch.partition].gap if batch.partition in chosen else self._gaps.get(batch.partition)
                self._settle(batch.partition, batch.now, gap)
        duplicate_records.add(sum(one.duplicates for one in chosen.values()), {"consumer": self.source.name})

    async def _apply(self, batches: Sequence[Batch]) -> bool:
        """False when one of them was moved or taken away meanwhile: the others are then read again."""
        try:
            await self.applier.apply(batches)
        except Moved:
            pass
        except Fenced:
            if all(self._holds(batch.partition, batch.claim) for batch in batches):
                raise
        else:
            return True
        for batch in batches:
            if self._holds(batch.partition, batch.claim):
                found = await self.checkpoints.again(batch.partition, batch.claim)
                if self._holds(batch.partition, batch.claim):
                    self._go_on(batch.partition, found)
        return False

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

    async def _look_for_missing(self, partition: TopicPartition, gap: Gap) -> None:
        """At the end of a partition with something missing: once more from its start; if in vain, an alert."""
        end = self._kafka.highwater(partition)
        if gap.reported or end is None or await self._kafka.position(partition) < end or partition not in self._claims:
            return
        if not gap.rewound:
            self._gaps[partition] = replace(gap, offset=0, rewound=True)
            await self._kafka.seek_to_beginning(partition)
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
            end = self._behind[partition] = self._kafka.highwater(partition) if seen is None else seen
            gap = self._gaps.get(partition)
            if (gap and gap.reported) or (end is not None and self._claims[partition].next_offset >= end):
                del self._behind[partition]
        self._caught_up |= self._joined and not self._behind

    async def _between_batches(self) -> None:
        for partition, gap in list(self._gaps.items()):
            await self._look_for_missing(partition, gap)
        self._look_for_ends()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            await self._look_at_database()
        if self.source.idle_seconds is not None and now >= self._idle_at:
            self._idle_at = now + self.source.idle_seconds
            if claims := dict(self._claims):
                await self.applier.idle(claims)
                self.applier.after_commit()

    async def _look_at_database(self) -> None:
        """A crash of PostgreSQL takes the last moments of a view with it, and nobody comes to tell. Raises Fenced."""
        claims = dict(self._claims)
        try:
            stored = await self.checkpoints.stored()
        except psycopg.OperationalError:
            return
        for partition, claim in claims.items():
            if not self._holds(partition, claim):
                continue
            found = stored.get(partition)
            if found is None or found.fence != claim.fence:
                raise Fenced(f"{self.source.name}: {partition.topic}/{partition.partition} was taken over")
            if found.sequence != claim.saved:
                log.warning("checkpoint was moved", consumer=self.source.name, at=claim.saved, now=found.sequence)
                self._go_on(partition, found)

    def _holds(self, partition: TopicPartition, claim: Checkpoint) -> bool:
        """Whether it is still ours and where it was: a rebalance can come at any await."""
        return self._claims.get(partition) is claim

    def _go_on(self, partition: TopicPartition, claim: Checkpoint) -> None:
        self._claims[partition] = claim
        self._gaps.pop(partition, None)
        self._kafka.seek(partition, claim.next_offset)

    def _forget(self, partition: TopicPartition) -> None:
        self._claims.pop(partition, None)
        self._gaps.pop(partition, None)
        self._behind.pop(partition, None)

    def _lag(self, partition: TopicPartition, claim: Checkpoint) -> int:
        end = self._kafka.highwater(partition) if self._kafka else None
        return max(0, (end or 0) - claim.next_offset)


def _record(record: Any) -> ForeignRecord:
    return ForeignRecord(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp
    )
