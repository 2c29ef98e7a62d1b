"""8: SIGTERM in the middle of a slow batch ends the process soon, and nothing is committed that was not processed."""

import time

from tests.guarantees.harness import SHARDS, Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.program import SLOW_SECONDS, SlowHandler
from tests.guarantees.proof import logged, settled

BATCH_EVENTS = 60
STOPPED_SECONDS = 8.0


async def test_nothing_is_committed_unprocessed(our_world: World, plan: Plan) -> None:
    traffic = Traffic(our_world, plan.rng)
    longest = 0.0
    stops = 0
    our_world.start("relay")
    for _ in plan.rounds():
        slow = await our_world.start("slow").ready()
        async with traffic.flowing():
            await traffic.more(BATCH_EVENTS)
        await in_a_batch(our_world)
        started = time.monotonic()
        slow.terminate()
        await slow.ended(STOPPED_SECONDS)
        longest = max(longest, time.monotonic() - started)
        stops += 1
        assert processed(our_world) == checkpoints(our_world)
    our_world.start("slow")
    await settled(our_world, (SlowHandler.name,))
    expected = sorted(str(event.position) for events in (await logged(our_world)).values() for event in events)
    assert processed(our_world) == expected
    plan.tell(events=len(expected), stops=stops, s_to_stop=longest)


async def in_a_batch(world: World) -> None:
    """Returns when a batch is under way: its transaction is open and has written."""
    with world.connect() as connection:
        limit = time.monotonic() + BATCH_EVENTS * SLOW_SECONDS
        while time.monotonic() < limit:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database() "
                "AND backend_xid IS NOT NULL AND query LIKE 'INSERT INTO slow_done%'"
            ).fetchone()
            if row and row[0]:
                return
    raise TimeoutError("no batch was under way")


def processed(world: World) -> list[str]:
    with world.connect() as connection:
        return sorted(row[0] for row in connection.execute("SELECT position FROM slow_done").fetchall())


def checkpoints(world: World) -> list[str]:
    """The positions up to the checkpoints."""
    with world.connect() as connection:
        rows = connection.execute(
            "SELECT partition, sequence FROM checkpoints WHERE consumer = %s", (SlowHandler.name,)
        ).fetchall()
    assert len(rows) <= SHARDS
    return sorted(f"billing/{shard}:{sequence}" for shard, last in rows for sequence in range(1, last + 1))
