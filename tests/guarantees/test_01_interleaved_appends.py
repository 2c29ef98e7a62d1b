"""1: however appends interleave, roll back or die, every reader sees every event once, in order, and never a gap."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg

from chassis.log import Append, NewEvent
from chassis.postgres_log import PostgresLog
from contracts.envelope import Metadata
from tests.chassis.events import Increased
from tests.conftest import new_database
from tests.guarantees.harness import SHARDS, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import VIEW, logged, prove

WRITERS = 8
TURNS = 12
PAGES = (1, 7, 1_000)
LARGEST_APPEND = 1_000


class _RolledBack(Exception):
    """Ends a transaction without a commit."""


async def test_every_reader_sees_every_event_once(our_world: World, plan: Plan, postgres_url: str) -> None:
    our_world.start("relay,view")
    seen = [dict.fromkeys(range(SHARDS), 0) for _ in PAGES]
    committed: list[int] = []
    lost = 0
    async with our_world.streams(WRITERS + len(PAGES) + 1) as streams, elsewhere(postgres_url):
        log = streams.log
        assert isinstance(log, PostgresLog)
        for _ in plan.rounds():
            writing = [asyncio.create_task(write(log, our_world, plan.rng, committed)) for _ in range(WRITERS)]
            reading = [
                asyncio.create_task(read(log, page, positions, writing))
                for page, positions in zip(PAGES, seen, strict=True)
            ]
            lost += sum(await asyncio.gather(*writing))
            await asyncio.gather(*reading)
    history = await logged(our_world)
    assert sum(map(len, history.values())) == sum(committed)
    assert all(positions == {shard: len(events) for shard, events in history.items()} for positions in seen)
    proof = await prove(our_world, consumers=(VIEW,))
    plan.tell(events=proof.events, transactions=len(committed) + lost, rolled_back_or_killed=lost)


async def write(log: PostgresLog, world: World, rng: random.Random, committed: list[int]) -> int:
    """Transactions of several streams, as a consumer's; some take their number early, some roll back, some die."""
    lost = 0
    for turn in range(TURNS):
        streams = [f"counter/{uuid.uuid4().hex}" for _ in range(rng.randint(1, 3))]
        counts = [LARGEST_APPEND if turn == TURNS // 2 and rng.random() < 0.3 else rng.randint(1, 20) for _ in streams]
        end = rng.choice(["commit", "commit", "roll back", "die"])
        appends = [append(name, count) for name, count in zip(streams, counts, strict=True)]
        try:
            url = world.settings.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as own, own.transaction():
                if rng.random() < 0.5:
                    await own.execute("SELECT pg_current_xact_id()")
                    await asyncio.sleep(rng.random() * 0.05)
                await log.append_all(appends, own)
                await asyncio.sleep(rng.random() * 0.02)
                if end == "roll back":
                    raise _RolledBack
                if end == "die":
                    await own.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            committed.append(sum(counts))
        except (_RolledBack, psycopg.OperationalError):
            lost += 1
    return lost


async def read(log: PostgresLog, page: int, positions: dict[int, int], writing: list[asyncio.Task[int]]) -> None:
    """Follows all shards until nobody writes and nothing is left; every page must go on where the last one ended."""
    found, quiet = 1, False
    while found or not quiet:
        quiet = all(task.done() for task in writing)
        found = 0
        for shard, after in positions.items():
            records = await log.read(shard, after, page)
            sequences = [record.position.sequence for record in records]
            assert sequences == list(range(after + 1, after + 1 + len(records)))
            positions[shard] += len(records)
            found += len(records)
        await asyncio.sleep(0)


def append(stream: str, count: int) -> Append:
    event = NewEvent(Increased.type, b'{"by":1}', Metadata())
    return Append(stream, 0, (event,) * count, datetime.now(UTC))


@asynccontextmanager
async def elsewhere(postgres_url: str) -> AsyncIterator[None]:
    """A transaction that stays open in another database of the server: it must hold nobody up."""
    with new_database(postgres_url) as url:
        async with await psycopg.AsyncConnection.connect(url) as other:
            await other.execute("SELECT pg_current_xact_id()")
            yield
