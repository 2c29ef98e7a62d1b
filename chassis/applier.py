"""Applies batches: effect and checkpoint are one transaction; what cannot be applied is parked with its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint, Checkpoints, Claims, Fenced
from chassis.database import Pool
from chassis.errors import Conflict, Unavailable
from chassis.failpoints import Point, reach
from chassis.log import Connection
from chassis.parking import Parking
from chassis.sources import ForeignSource, LogSource
from chassis.telemetry import meter

log = structlog.get_logger()

ATTEMPTS = 10
BACKOFF_SECONDS = (0.1, 15.0)

#: Nothing is wrong with the records: the same again later can work.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, KafkaError, OSError, TimeoutError, Conflict, Unavailable)

applied_records = meter.create_counter("portico_consumer_applied", description="Records applied")
parked_records = meter.create_counter("portico_consumer_parked", description="Records parked")


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of a partition in their order, where it stands, and where it stands after them."""

    partition: TopicPartition
    records: Sequence[ForeignRecord]
    claim: Checkpoint
    now: Checkpoint


@dataclass(frozen=True, slots=True)
class _Failure:
    """The first record of a stream that could not be applied."""

    record: ForeignRecord
    error: str


class Applier:
    """Applies the records of one source. `decided_for`: see chassis.parking.Parking."""

    def __init__(self, source: LogSource | ForeignSource, pool: Pool, decided_for: str = "") -> None:
        self.source = source
        self.checkpoints = Checkpoints(source.name, pool)
        self.parking = Parking(source.name, pool, decided_for)
        self.after_commit: Callable[[], None] = lambda: None
        self._pool = pool

    async def apply(self, batches: Sequence[Batch]) -> None:
        """Tries until the database takes the batches, all in one transaction. Raises Fenced when one is another's."""
        low, high = BACKOFF_SECONDS
        careful = False
        attempt = 0
        while True:
            try:
                parked = await self._transaction(batches, careful=careful)
                break
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
                log.warning("batch tried again", consumer=self.source.name, error=reason(error))
                await asyncio.sleep(0.01 * attempt if isinstance(error, Conflict) else min(low * 2**attempt, high))
        applied_records.add(sum(len(batch.records) for batch in batches) - parked, {"consumer": self.source.name})
        parked_records.add(parked, {"consumer": self.source.name})
        if self.source.durable:
            self.after_commit()

    async def idle(self, claims: Claims) -> None:
        """Lets the source do what is due between batches, under the same fence."""
        async with self._pool.connection() as connection, connection.transaction():
            await self.checkpoints.begin(connection, claims, self.source.durable, [])
            await self.source.idle(connection, [partition.partition for partition in claims])

    async def retry(self, stream: str) -> int:
        """Applies the parked records of a stream in order, up to the first that still fails; returns how many."""
        async with self._pool.connection() as connection, connection.transaction():
            parked = await self.parking.of_stream(connection, stream)
            failure = (await self._attempt(connection, [one.record for one in parked])).get(stream)
            done = parked
            if failure:
                first = next(place for place, one in enumerate(parked) if one.record is failure.record)
                await self.parking.blame(connection, parked[first], failure.error)
                done = parked[:first]
            await self.parking.forget(connection, done)
        self.after_commit()
        return len(done)

    async def drop(self, stream: str, actor: str | None = None) -> int:
        """Gives up the first parked record of a stream, the one that failed; the others can then be retried."""
        async with self._pool.connection() as connection, connection.transaction():
            first = (await self.parking.of_stream(connection, stream))[:1]
            for parked in first:
                await self.parking.give_up(connection, parked, actor)
                log.warning("event given up", consumer=self.source.name, position=parked.position, actor=actor)
        return len(first)

    async def _transaction(self, batches: Sequence[Batch], *, careful: bool) -> int:
        """Applies batches and moves their checkpoints, or does neither; returns how many records were parked."""
        records = [record for batch in batches for record in batch.records]
        streams = [self.source.stream(record) for record in records]
        claims = {batch.partition: batch.claim for batch in batches}
        async with self._pool.connection() as connection, connection.transaction():
            waiting = await self.checkpoints.begin(connection, claims, self.source.durable, sorted(set(streams)))
            await reach(Point.CONSUMER_AFTER_BEGIN)
            free = [record for record, stream in zip(records, streams, strict=True) if stream not in waiting]
            failures: dict[str, _Failure] = {}
            if careful:
                failures = await self._attempt(connection, free)
            elif free:
                await self.source.apply(connection, free)
            await reach(Point.CONSUMER_AFTER_APPLY)
            stopped = set(waiting)
            aside: list[tuple[str, str | None, ForeignRecord]] = []
            for record, stream in zip(records, streams, strict=True):
                if stream in failures and failures[stream].record is record:
                    stopped.add(stream)
                if stream in stopped:
                    aside.append((stream, self.source.position(record), record))
            await self.parking.park(connection, aside, {stream: failure.error for stream, failure in failures.items()})
            await self.checkpoints.save(connection, {batch.partition: batch.now for batch in batches})
            await reach(Point.CONSUMER_BEFORE_COMMIT)
        await reach(Point.CONSUMER_AFTER_COMMIT)
        for stream, failure in failures.items():
            log.error(
                "event parked",
                consumer=self.source.name,
                stream=stream,
                offset=failure.record.offset,
                error=failure.error,
            )
        return len(aside)

    async def _attempt(
        self, connection: Connection, records: Sequence[ForeignRecord], failures: dict[str, _Failure] | None = None
    ) -> dict[str, _Failure]:
        """Applies records in halves until what fails stands alone; returns the first failure of each stream."""
        failures = {} if failures is None else failures
        records = [record for record in records if self.source.stream(record) not in failures]
        if not records:
            return failures
        try:
            async with connection.transaction():
                await self.source.apply(connection, records)
        except Exception as error:
            if _passes(error):
                raise
            if len(records) > 1:
                half = len(records) // 2
                await self._attempt(connection, records[:half], failures)
                await self._attempt(connection, records[half:], failures)
            elif not await self.parking.is_given_up(connection, self.source.position(records[0])):
                failures[self.source.stream(records[0])] = _Failure(records[0], reason(error))
        return failures


def reason(error: BaseException) -> str:
    """An error as one bounded line that PostgreSQL can store."""
    return f"{type(error).__name__}: {error}".replace("\0", "\\0")[:2_000]


def _passes(error: Exception) -> bool:
    """Whether a failure is of the moment. A value that is too large for an index is not, though it calls itself so."""
    return isinstance(error, PASSING) and not isinstance(error, psycopg.errors.ProgramLimitExceeded)
