"""Applies topics to the database: one batch of a partition is one transaction, and its checkpoint proves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint, Checkpoints, Fenced
from chassis.database import Pool
from chassis.errors import Conflict, Unavailable
from chassis.log import Connection
from chassis.settings import Settings
from chassis.sources import ForeignSource, LogSource
from chassis.telemetry import meter

log = structlog.get_logger()

BATCH_RECORDS = 1_000
POLL_MS = 500
ATTEMPTS = 10
BACKOFF_SECONDS = (0.1, 15.0)
GAP_SECONDS = 30.0
SESSION_TIMEOUT_MS = 15_000
MAXIMUM_POLL_MS = 300_000
FETCH_BYTES = 4 * 1024 * 1024

#: Nothing is wrong with the records: the same again later can work.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, KafkaError, OSError, TimeoutError, Conflict, Unavailable)

applied_records = meter.create_counter("portico_consumer_applied", description="Records applied")
duplicate_records = meter.create_counter("portico_consumer_duplicates", description="Records dropped as duplicates")
parked_records = meter.create_counter("portico_consumer_parked", description="Records parked")
stopped_partitions = meter.create_counter("portico_consumer_gaps", description="Stops at a missing sequence")


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the topics of a source in a group of its own. Runs until cancelled."""

    def __init__(self, source: LogSource | ForeignSource, service: str, settings: Settings, pool: Pool) -> None:
        self.source = source
        self.checkpoints = Checkpoints(source.name, pool)
        self.after_commit: Callable[[], None] = lambda: None
        self._settings = settings
        self._group = f"{settings.topic_prefix}.{service}.{source.name}"
        self._pool = pool
        self._kafka: Any = None
        self._claims: dict[TopicPartition, Checkpoint] = {}
        self._building: set[TopicPartition] = set()
        self._gaps: dict[TopicPartition, float] = {}
        self._joined = False
        self._idle_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether it has its partitions, and none of them is still read for the first time."""
        return self._joined and not self._building

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
                reason = _reason(error)
                log.warning("consumer interrupted", consumer=self.source.name, error=reason, retry_seconds=backoff)
            self._joined = False
            await asyncio.sleep(backoff)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for partition in revoked:
            self._claims.pop(partition, None)
            self._building.discard(partition)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for partition in assigned:
            claim = await self.checkpoints.claim(partition.topic, partition.partition)
            self._claims[partition] = claim
            self._kafka.seek(partition, claim.next_offset)
            if claim.next_offset == 0:
                self._building.add(partition)
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
                "stopped_at_gap": partition in self._gaps,
            }
            for partition, claim in sorted(self._claims.items())
        ]

    async def retry(self, stream: str) -> int:
        """Applies the parked records of a stream in order, up to the first that still fails; returns how many."""
        done = 0
        async with self._pool.connection() as connection, connection.transaction():
            for record in await self.checkpoints.unpark(connection, stream):
                failed = await self._attempt(connection, [record])
                if failed:
                    await self.checkpoints.blame(connection, record, failed[stream][1])
                    break
                await self.checkpoints.forget(connection, [record])
                done += 1
        self.after_commit()
        return done

    async def drop(self, stream: str) -> int:
        """Gives up the first parked record of a stream, the one that failed; the others can then be retried."""
        async with self._pool.connection() as connection, connection.transaction():
            first = (await self.checkpoints.unpark(connection, stream))[:1]
            await self.checkpoints.forget(connection, first)
        return len(first)

    async def _session(self) -> None:
        self._kafka = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            max_poll_interval_ms=MAXIMUM_POLL_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        self._kafka.subscribe(topics=[self._settings.topic(name) for name in self.source.topics], listener=self)
        try:
            await self._kafka.start()
            while True:
                batches = await self._kafka.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
                for partition, records in batches.items():
                    if partition in self._claims:
                        await self._take(partition, [_record(record) for record in records])
                await self._between_batches()
        finally:
            self._claims.clear()
            self._building.clear()
            await asyncio.shield(self._kafka.stop())

    async def _take(self, partition: TopicPartition, records: Sequence[ForeignRecord]) -> None:
        """Applies what is new, up to a gap if there is one."""
        claim = self._claims[partition]
        batch, now = self._select(records, claim)
        if batch:
            try:
                parked = await self._apply(partition, batch, claim, now)
            except Fenced:
                if self._claims.get(partition) is claim:
                    raise
                return
            applied_records.add(len(batch) - parked, {"consumer": self.source.name})
            parked_records.add(parked, {"consumer": self.source.name})
            if self.source.durable:
                self.after_commit()
        if self._claims.get(partition) is claim:
            self._claims[partition] = now
        await self.checkpoints.committed(partition.topic, partition.partition, now)
        if records[-1].offset >= now.next_offset:
            self._stop_at_gap(partition, now)
        else:
            self._gaps.pop(partition, None)

    def _select(self, records: Sequence[ForeignRecord], claim: Checkpoint) -> tuple[list[ForeignRecord], Checkpoint]:
        """The records to apply, duplicates left out, up to the first gap; and the checkpoint after them."""
        batch: list[ForeignRecord] = []
        sequence, next_offset = claim.sequence, claim.next_offset
        for record in records:
            found = self.source.sequence(record)
            if found is not None and found > sequence + 1 and self.source.gapless:
                break
            if found is None or found > sequence:
                batch.append(record)
                sequence = found or sequence
            next_offset = record.offset + 1
        duplicate_records.add(len(records) - len(batch), {"consumer": self.source.name})
        return batch, claim.moved(sequence, next_offset)

    async def _apply(
        self, partition: TopicPartition, batch: Sequence[ForeignRecord], claim: Checkpoint, now: Checkpoint
    ) -> int:
        """Tries until the database takes the batch; returns how many records were parked."""
        low, high = BACKOFF_SECONDS
        careful = False
        attempt = 0
        while True:
            try:
                return await self._transaction(partition, batch, claim, now, careful=careful)
            except Fenced:
                raise
            except Exception as error:
                if not _passes(error):
                    if careful:
                        raise
                    careful = True
                    continue
                attempt += 1
                if attempt == ATTEMPTS:
                    raise
                log.warning("batch tried again", consumer=self.source.name, error=_reason(error))
                await asyncio.sleep(0.01 * attempt if isinstance(error, Conflict) else min(low * 2**attempt, high))

    async def _transaction(
        self,
        partition: TopicPartition,
        batch: Sequence[ForeignRecord],
        claim: Checkpoint,
        now: Checkpoint,
        *,
        careful: bool,
    ) -> int:
        streams = [self.source.stream(record) for record in batch]
        async with self._pool.connection() as connection, connection.transaction():
            waiting = await self.checkpoints.begin(
                connection, partition, claim, self.source.durable, sorted(set(streams))
            )
            free = [record for record, stream in zip(batch, streams, strict=True) if stream not in waiting]
            failed: dict[str, tuple[int, str]] = {}
            if careful:
                failed = await self._attempt(connection, free)
            elif free:
                await self.source.apply(connection, free)
            aside = [
                (stream, record)
                for record, stream in zip(batch, streams, strict=True)
                if stream in waiting or (stream in failed and record.offset >= failed[stream][0])
            ]
            await self.checkpoints.park(connection, aside, {stream: error for stream, (_, error) in failed.items()})
            await self.checkpoints.save(connection, partition, now)
        for stream, (offset, error_text) in failed.items():
            log.error("event parked", consumer=self.source.name, stream=stream, offset=offset, error=error_text)
        return len(aside)

    async def _attempt(
        self, connection: Connection, records: Sequence[ForeignRecord], failed: dict[str, tuple[int, str]] | None = None
    ) -> dict[str, tuple[int, str]]:
        """Applies records in halves until what fails stands alone: stream to offset and error of its first failure."""
        failed = {} if failed is None else failed
        records = [record for record in records if self.source.stream(record) not in failed]
        if not records:
            return failed
        try:
            async with connection.transaction():
                await self.source.apply(connection, records)
        except Exception as error:
            if _passes(error):
                raise
            if len(records) == 1:
                failed[self.source.stream(records[0])] = (records[0].offset, _reason(error))
            else:
                half = len(records) // 2
                await self._attempt(connection, records[:half], failed)
                await self._attempt(connection, records[half:], failed)
        return failed

    def _stop_at_gap(self, partition: TopicPartition, now: Checkpoint) -> None:
        """A sequence is missing. The topic may have been refilled, so look once from its start; then stop and alert."""
        if partition not in self._gaps:
            self._gaps[partition] = time.monotonic()
            log.warning("gap: reading the topic again", consumer=self.source.name, partition=partition.partition)
        else:
            self._gaps[partition] = time.monotonic() + GAP_SECONDS
            stopped_partitions.add(1, {"consumer": self.source.name})
            log.error(
                "gap: partition stopped",
                consumer=self.source.name,
                topic=partition.topic,
                partition=partition.partition,
                missing=now.sequence + 1,
            )
        self._kafka.pause(partition)

    async def _between_batches(self) -> None:
        now = time.monotonic()
        for partition, due in self._gaps.items():
            if due <= now and partition in self._kafka.paused():
                await self._kafka.seek_to_beginning(partition)
                self._kafka.resume(partition)
        for partition in list(self._building):
            claim = self._claims.get(partition)
            if claim is None or (self._kafka.highwater(partition) is not None and not self._lag(partition, claim)):
                self._building.discard(partition)
        if self.source.idle_seconds is not None and now >= self._idle_at:
            self._idle_at = now + self.source.idle_seconds
            for partition, claim in list(self._claims.items()):
                async with self._pool.connection() as connection, connection.transaction():
                    await self.checkpoints.begin(connection, partition, claim, self.source.durable, [])
                    await self.source.idle(connection, [partition.partition])
            self.after_commit()

    def _lag(self, partition: TopicPartition, claim: Checkpoint) -> int:
        end = self._kafka.highwater(partition) if self._kafka else None
        return max(0, (end or 0) - claim.next_offset)


def _record(record: Any) -> ForeignRecord:
    return ForeignRecord(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp
    )


def _passes(error: Exception) -> bool:
    """Whether a failure is of the moment. A value that is too large for an index is not, though it calls itself so."""
    return isinstance(error, PASSING) and not isinstance(error, psycopg.errors.ProgramLimitExceeded)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\0", "\\0")[:2_000]
