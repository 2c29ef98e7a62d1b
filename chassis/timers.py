"""Time as an input: timers follow from events as rows, and each has its command carried out once when it is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Depends
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import AwareDatetime, BaseModel, Field

from chassis.applier import PASSING, reason
from chassis.auth import Forbidden, allow
from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Rejected
from chassis.failpoints import Point, reach
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from chassis.telemetry import meter
from contracts.base import Event
from contracts.common import Json
from contracts.envelope import Envelope, Metadata

BATCH = 200
POLL_SECONDS = 1.0
MEASURE_SECONDS = 15.0
ROUNDS = 1_000
RETRY = (timedelta(seconds=30), timedelta(hours=1))
MAXIMUM_DOUBLINGS = 10

log = structlog.get_logger()
fired_timers = meter.create_counter("portico_timers_fired", description="Timers whose command was carried out")
failed_timers = meter.create_counter("portico_timers_failed", description="Attempts that failed")
pending_timers = meter.create_gauge("portico_timers_pending", description="Timers that are set")
late_seconds = meter.create_gauge("portico_timers_late", unit="s", description="For how long the oldest one is due")


@dataclass(frozen=True, slots=True)
class SetTimer:
    """`id` tells a timer from the others of its kind; set again, it is moved. `payload` comes back when it is due."""

    id: str
    due: datetime
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """A timer that is not wanted any more; one that is not set is no mistake."""

    id: str


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer whose time has come. `now` is the time for its command."""

    id: str
    due: datetime
    payload: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True)
class Timer:
    """A kind of timer, by two pure functions: which ones follow from an event, and which commands when one is due.

    The rules have the last word: when a timer fires beside the event that cancels it, its command must do nothing.
    """

    name: str
    events: tuple[type[Event], ...]
    follow: Callable[[Envelope], Iterable[SetTimer | CancelTimer]]
    fire: Callable[[DueTimer], Iterable[Do[Any, Any]]]


class TimerHandler:
    """Sets and cancels timers in the transaction of its checkpoint."""

    def __init__(self, timer: Timer) -> None:
        self.name = f"timer:{timer.name}"
        self.events = timer.events
        self.durable = True
        self._timer = timer

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: the table is the chassis's."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        last = {change.id: (change, each) for each in envelopes for change in self._timer.follow(each)}
        name = self._timer.name
        kept = [(change, caused_by(each)) for change, each in last.values() if isinstance(change, SetTimer)]
        gone = [id_ for id_, (change, _) in last.items() if isinstance(change, CancelTimer)]
        if gone:
            await connection.execute("DELETE FROM timers WHERE name = %s AND id = ANY(%s)", (name, gone))
        if kept:
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO timers (name, id, due, try_at, payload, metadata) VALUES (%s, %s, %s, %s, %s, %s) "
                    "ON CONFLICT (name, id) DO UPDATE SET due = EXCLUDED.due, try_at = EXCLUDED.due, "
                    "payload = EXCLUDED.payload, metadata = EXCLUDED.metadata, attempts = 0, error = NULL",
                    [
                        (name, change.id, change.due, change.due, Jsonb(dict(change.payload)), metadata.to_json())
                        for change, metadata in kept
                    ],
                )


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    id: str
    due: datetime
    payload: dict[str, Any]
    metadata: str
    attempts: int

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.id


class Timers:
    """Fires the timers of a service. Instances share the work: a row is one's until its transaction ends."""

    def __init__(self, pool: Pool, streams: Streams) -> None:
        self.kinds: dict[str, Timer] = {}
        self.after_commit: Callable[[], None] = lambda: None
        self._pool = pool
        self._streams = streams
        self._measure_at = 0.0

    async def run(self) -> None:
        """Fires what is due, again and again. Runs until cancelled."""
        while True:
            looked_at = 0
            try:
                looked_at = await self.fire(self._streams.clock())
                await self._measure()
            except PASSING as error:
                log.warning("timers interrupted", error=reason(error))
            if looked_at < BATCH:
                await asyncio.sleep(POLL_SECONDS)

    async def fire(self, now: datetime) -> int:
        """Carries out what is due by `now`, the oldest first, `BATCH` at most; returns how many timers that were.

        Commands, and the end of their timers, are one transaction. Raises Conflict when a stream moved on meanwhile.
        """
        async with self._pool.connection() as connection, connection.transaction():
            rows = await self._take(connection, now)
            if not rows:
                return 0
            failed = await self._carry_out(connection, rows, now)
            done = [row.key for row in rows if row.key not in failed]
            await connection.execute(
                "DELETE FROM timers USING unnest(%s::text[], %s::text[]) AS done (name, id) "
                "WHERE timers.name = done.name AND timers.id = done.id",
                ([name for name, _ in done], [id_ for _, id_ in done]),
            )
            await reach(Point.TIMERS_BEFORE_COMMIT)
        await reach(Point.TIMERS_AFTER_COMMIT)
        self.after_commit()
        for name, _ in done:
            fired_timers.add(1, {"timer": name})
        return len(rows)

    async def fire_all(self, now: datetime, set_by_now: Callable[[], Awaitable[None]]) -> int:
        """Fires what is due by `now`, also what follows from that. `set_by_now` waits until timers are set."""
        fired = 0
        for _ in range(ROUNDS):
            await set_by_now()
            just_now = await self.fire(now)
            if not just_now:
                break
            fired += just_now
        return fired

    async def status(self) -> list[dict[str, Any]]:
        """How many timers of each kind are set, when the next one is due, and how many could not be carried out."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT name, count(*), min(due), count(error), max(error) FROM timers GROUP BY name ORDER BY name"
            )
            rows = await cursor.fetchall()
        known = {name: (count, due, failing, error) for name, count, due, failing, error in rows}
        return [
            {"name": name, "pending": count, "next_due": due, "failing": failing, "error": error}
            for name in sorted({*self.kinds, *known})
            for count, due, failing, error in [known.get(name, (0, None, 0, None))]
        ]

    async def _take(self, connection: Connection, now: datetime) -> list[_Row]:
        cursor = connection.cursor(row_factory=class_row(_Row))
        await cursor.execute(
            "SELECT name, id, due, payload, metadata, attempts FROM timers WHERE try_at <= %s AND name = ANY(%s) "
            "ORDER BY try_at LIMIT %s FOR UPDATE SKIP LOCKED",
            (now, list(self.kinds), BATCH),
        )
        return await cursor.fetchall()

    async def _carry_out(self, connection: Connection, rows: Sequence[_Row], now: datetime) -> set[tuple[str, str]]:
        """All at once; when that fails, each by itself. Returns those that failed."""
        try:
            async with connection.transaction():
                await self._execute(connection, rows, now)
        except PASSING:
            raise
        except Exception as error:
            if len(rows) == 1:
                await self._put_off(connection, rows[0], now, error)
                return {rows[0].key}
            failed: set[tuple[str, str]] = set()
            for row in rows:
                failed |= await self._carry_out(connection, [row], now)
            return failed
        return set()

    async def _execute(self, connection: Connection, rows: Sequence[_Row], now: datetime) -> None:
        commands = [
            replace(do, metadata=Metadata.from_mapping(orjson.loads(row.metadata)))
            for row in rows
            for do in self.kinds[row.name].fire(DueTimer(row.id, row.due, row.payload, now))
        ]
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("timer refused", stream=do.stream, reason=str(result))

    async def _put_off(self, connection: Connection, row: _Row, now: datetime, error: Exception) -> None:
        first, longest = RETRY
        again = now + min(first * 2 ** min(row.attempts, MAXIMUM_DOUBLINGS), longest)
        log.error("timer failed", timer=row.name, id=row.id, error=reason(error), again=again.isoformat())
        failed_timers.add(1, {"timer": row.name})
        await connection.execute(
            "UPDATE timers SET attempts = attempts + 1, error = %s, try_at = %s WHERE name = %s AND id = %s",
            (reason(error), again, row.name, row.id),
        )

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._measure_at:
            return
        self._measure_at = now + MEASURE_SECONDS
        clock = self._streams.clock()
        for kind in await self.status():
            late = (clock - kind["next_due"]).total_seconds() if kind["next_due"] else 0.0
            pending_timers.set(kind["pending"], {"timer": kind["name"]})
            late_seconds.set(max(0.0, late), {"timer": kind["name"]})


class AsOf(BaseModel):
    """A moment that is taken for now."""

    as_of: AwareDatetime = Field(examples=["2027-02-01T00:00:00+01:00"])


class Fired(BaseModel):
    """What came of it."""

    fired: int = Field(description="Timers that were due by then, and those that these had set")


def development_router(timers: Timers, set_by_now: Callable[[], Awaitable[None]], development: bool) -> APIRouter:
    """Lets time pass at once, for demonstrations and tests of a whole stack."""
    api = APIRouter(prefix="/development", tags=["operations"])

    @api.post("/timers", summary="Fire what is due by a moment (in development only)")
    async def fire(body: AsOf, _: Annotated[object, Depends(allow("operator"))]) -> Fired:
        """The commands of the timers take `as_of` for the time; their events bear the real one."""
        if not development:
            raise Forbidden("forbidden_outside_development")
        return Fired(fired=await timers.fire_all(body.as_of, set_by_now))

    return api
