"""10: a view is rebuilt under load: same content as a fresh fold, no side effect repeated, no read refused or stale."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest

from chassis.log import Append, NewEvent
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Streams, utc_now
from chassis.testing import eventually, running
from chassis.views import ViewReader
from contracts.envelope import Metadata
from tests.chassis.events import COUNTER, COUNTERS, Counter, Increased
from tests.guarantees import program
from tests.guarantees.harness import SECONDS, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import VIEW, prove

LANES = 6
STREAMS = 40
PER_APPEND = 150


@dataclass
class Reads:
    """Every customer's own write, read at once; and what others read meanwhile."""

    reader: ViewReader[Counter]
    done: int = 0
    longest_ms: float = 0.0
    total_ms: float = 0.0

    async def get(self, id_: str, at_least: int) -> int:
        started = time.monotonic()
        document = await self.reader.get(id_)
        took_ms = 1000 * (time.monotonic() - started)
        self.longest_ms, self.total_ms = max(self.longest_ms, took_ms), self.total_ms + took_ms
        self.done += 1
        events = document.events if document else 0
        assert events >= at_least, f"{id_} was at {at_least} and is at {events}"
        return events


@pytest.mark.parametrize("source", ["topic", "log"])
async def test_nobody_notices_but_the_content_is_new(our_world: World, plan: Plan, source: str) -> None:
    history = plan.some(4_000, 40_000)
    async with our_world.streams(4) as streams:
        await fill(streams, history)
    readers: list[ViewReader[Counter]] = []

    def create(settings: Settings) -> Service:
        service = program.create(settings, ["relay", "view", "reaction"])
        readers.append(ViewReader(COUNTERS, service.pool))
        return service

    other = our_world.start()
    async with running(create, our_world.settings) as ours:
        await other.ready()
        await prove(our_world)
        spoil(our_world)
        reads, service = Reads(readers[0]), ours.service
        async with customers(service, reads, plan.rng):
            begun = time.monotonic()
            number = await service.rebuilds.start("counters", "log" if source == "log" else "topic", "test")
            await ended(our_world, number)
            seconds = time.monotonic() - begun
        proof = await prove(our_world)
        await cleaned(our_world)
        plan.tell(
            events=proof.events,
            seconds=seconds,
            reads=reads.done,
            mean_read_ms=reads.total_ms / reads.done,
            longest_read_ms=reads.longest_ms,
            duplicates_dropped=proof.duplicates,
        )


async def test_a_rebuild_survives_kills(our_world: World, plan: Plan) -> None:
    async with our_world.streams(4) as streams:
        await fill(streams, plan.some(4_000, 40_000))
    process = our_world.start()
    await process.ready()
    await prove(our_world)
    kills = 0
    for _ in plan.rounds():
        spoil(our_world)
        number = begin(our_world, plan.rng.choice(["topic", "log"]))
        for share in sorted(plan.rng.random() for _ in range(2)):
            await built(our_world, number, share)
            process.kill()
            kills += 1
            process = our_world.start()
        await ended(our_world, number)
        await prove(our_world)
    await cleaned(our_world)
    plan.tell(kills=kills)


async def fill(streams: Streams, events: int) -> None:
    """A history of increases, many in one append."""
    ids = [uuid.uuid4().hex for _ in range(STREAMS)]
    event = NewEvent(Increased.type, Increased(by=1).model_dump_json().encode(), Metadata())
    for version in range(0, events // STREAMS, PER_APPEND):
        some = (event,) * min(PER_APPEND, events // STREAMS - version)
        appends = [Append(f"counter/{id_}", version, some, utc_now()) for id_ in ids]
        for start in range(0, STREAMS, 8):
            await streams.log.append_all(appends[start : start + 8])


@asynccontextmanager
async def customers(service: Service, reads: Reads, rng: Random) -> AsyncIterator[None]:
    """Each changes his own counter and looks at it at once, over and over, until the block ends."""
    view = next(consumer for consumer in service.consumers if consumer.source.name == VIEW)
    topic = service.settings.topic("billing")
    stop = asyncio.Event()

    async def customer() -> None:
        id_, changed = uuid.uuid4().hex, 0
        while not stop.is_set():
            outcome = await service.streams.execute(COUNTER, id_, 1)
            changed += 1
            reached = await view.checkpoints.wait(topic, outcome.position.shard, outcome.position.sequence, SECONDS)
            assert reached
            await reads.get(id_, changed)
            await asyncio.sleep(0.02 * rng.random())

    async def onlooker() -> None:
        """Reads without waiting for anything: what he sees never goes back."""
        seen: dict[str, int] = {}
        async with service.pool.connection() as connection:
            rows = await (await connection.execute(f"SELECT key FROM {COUNTERS.table} LIMIT 50")).fetchall()  # noqa: S608
        while not stop.is_set():
            (id_,) = rng.choice(rows)
            seen[id_] = await reads.get(id_, seen.get(id_, 0))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for work in (onlooker, *[customer] * LANES):
            tasks.create_task(work())
        try:
            yield
        finally:
            stop.set()


def spoil(world: World) -> None:
    """Nothing but a rebuild can set this right; `names` is what no increase touches."""
    with world.connect() as connection:
        connection.execute(f"""UPDATE {COUNTERS.table} SET doc = doc || '{{"names": ["wrong"]}}'""")  # noqa: S608


def begin(world: World, source: str) -> int:
    """As POST /ops/views/rebuild does it."""
    with world.connect() as connection:
        row = connection.execute(
            "INSERT INTO rebuilds (view, version, source) VALUES ('counters', 1, %s) RETURNING id", (source,)
        ).fetchone()
    assert row
    return int(row[0])


async def built(world: World, number: int, share: float) -> None:
    """Returns when a rebuild has got so far, or is over."""
    with world.connect() as connection:

        async def far() -> bool:
            row = connection.execute(
                "SELECT (SELECT ended_at IS NOT NULL FROM rebuilds WHERE id = %s), "
                "(SELECT sum(sequence) FROM checkpoints WHERE consumer = %s), (SELECT sum(sequence) FROM heads)",
                (number, f"{VIEW}:r{number}"),
            ).fetchone()
            assert row
            return row[0] or (row[1] or 0) >= share * float(row[2])

        await waited(world, far)


async def ended(world: World, number: int) -> None:
    """Returns when a rebuild is swapped in."""
    with world.connect() as connection:

        async def over() -> bool:
            row = connection.execute("SELECT outcome FROM rebuilds WHERE id = %s", (number,)).fetchone()
            return row == ("swapped",)

        await waited(world, over)


async def cleaned(world: World) -> None:
    """Returns when no table, checkpoint or parked record of a rebuild is left."""
    with world.connect() as connection:

        async def clean() -> bool:
            rows = connection.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE 'view\\_%\\_r%' AND relkind = 'r' UNION ALL "
                "SELECT consumer FROM checkpoints WHERE consumer LIKE '%:r%' AND consumer LIKE 'view:%' UNION ALL "
                "SELECT consumer FROM parked"
            ).fetchall()
            return not rows

        await waited(world, clean)


async def waited(world: World, probe: object) -> None:
    try:
        await eventually(probe, SECONDS)  # type: ignore[arg-type]
    except TimeoutError as error:
        said = world.processes[-1].said()
        raise TimeoutError(f"{error}\n{said}") from None
