"""Reads topics in a group and applies them a batch of a partition at a time; finds its way again whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from chassis.applier import BACKOFF_SECONDS, PASSING, Applier, reason
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
HEARTBEATS = 5
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
        self._idle_at = 0.0

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
                batches = await self._kafka.getmany(timeout_ms=POLL_MS, max_records=self._batch_records)
                claims = dict(self._claims)
                for partition, records in batches.items():
                    if partition in claims and self._claims.get(partition) is claims[partition]:
                        await self._take(partition, [_record(record) for record in records], claims[partition])
                await self._between_batches()
        finally:
            for partition in list(self._claims):
                self._forget(partition)
            await asyncio.shield(self._kafka.stop())

    async def _take(self, partition: TopicPartition, records: Sequence[ForeignRecord], claim: Checkpoint) -> None:
        """Applies what is new."""
        chosen = self._choose(partition, records, claim)
        try:
            if chosen.batch:
                await self.applier.apply(partition, chosen.batch, claim, chosen.checkpoint)
        except Moved:
            if self._claims.get(partition) is claim:
                self._go_on(partition, await self.checkpoints.again(partition.topic, partition.partition, claim))
            return
        except Fenced:
            if self._claims.get(partition) is claim:
                raise
            return
        await self.checkpoints.committed(partition.topic, partition.partition, chosen.checkpoint)
        duplicate_records.add(chosen.duplicates, {"consumer": self.source.name})
        if self._claims.get(partition) is claim:
            self._claims[partition] = chosen.checkpoint
            self._note(partition, chosen.gap)

    def _choose(self, partition: TopicPartition, records: Sequence[ForeignRecord], claim: Checkpoint) -> Selection:
        """Offsets that go back, where they are all there is, tell that the topic was lost and made again."""
        if self.source.gapless:
            return select(records, self.source.sequence, claim, self._gaps.get(partition))
        after = records[-1].offset + 1
        return Selection(list(records), claim.moved(after, after), None, 0)

    def _note(self, partition: TopicPartition, gap: Gap | None) -> None:
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
        if self.source.idle_seconds is not None and now >= self._idle_at:
            self._idle_at = now + self.source.idle_seconds
            for partition, claim in list(self._claims.items()):
                await self.applier.idle(partition, claim)
            self.applier.after_commit()

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
