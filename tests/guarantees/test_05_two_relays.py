"""5: of two relays one leads each shard; when its lock session dies or it stands still, the other goes on in order."""

import time

from chassis.testing import eventually
from tests.guarantees.harness import Process, Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.program import HASTE
from tests.guarantees.proof import prove

SHARDS_LED = """
SELECT count(*), count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
END_LEADERS = """
SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory'
AND mode = 'ExclusiveLock' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS leaders
"""
STOPPED_SECONDS = 25.0


async def test_each_shard_is_published_by_one_relay(our_world: World, plan: Plan) -> None:
    traffic = Traffic(our_world, plan.rng)
    our_world.start("relay")
    our_world.start("relay,view,reaction")
    async with traffic.flowing():
        await traffic.more(300)
    proof = await prove(our_world, traffic)
    assert proof.duplicates == 0
    plan.tell(events=proof.events, duplicates=0)


async def test_the_other_takes_over_when_a_lock_session_dies(our_world: World, plan: Plan) -> None:
    traffic = Traffic(our_world, plan.rng)
    our_world.start("view,reaction")
    for _ in range(2):
        await our_world.start("relay").ready()
    ended, waits = 0, []
    async with traffic.flowing():
        for _ in plan.rounds(2):
            await led(our_world)
            with our_world.connect() as connection:
                row = connection.execute(END_LEADERS).fetchone()
            ended += row[0] if row else 0
            started = time.monotonic()
            await led(our_world)
            waits.append(time.monotonic() - started)
            await traffic.more(50)
    proof = await prove(our_world, traffic)
    plan.tell(
        events=proof.events, sessions_ended=ended, duplicates_dropped=proof.duplicates, s_until_led_again=max(waits)
    )


async def test_the_other_takes_over_when_a_relay_stands_still(our_world: World, plan: Plan) -> None:
    traffic = Traffic(our_world, plan.rng, pause_ms=40)
    our_world.start("view,reaction")
    hasty = {HASTE: str(plan.some(4, 1))}
    relays: list[Process] = [await our_world.start("relay", **hasty).ready()]
    async with traffic.flowing():
        await led(our_world)
        relays.append(await our_world.start("relay", **hasty).ready())
        for _ in plan.rounds():
            relays[0].pause()
            started = time.monotonic()
            await traffic.more(50)
            await published_since(our_world)
            taken_over = time.monotonic() - started
            relays[0].go_on()
            await traffic.more(50)
            relays.reverse()
    proof = await prove(our_world, traffic)
    plan.tell(events=proof.events, duplicates_dropped=proof.duplicates, s_until_taken_over=taken_over)


async def led(world: World) -> None:
    """Returns when every shard has its leader."""
    with world.connect() as connection:

        async def all_led() -> bool:
            row = connection.execute(SHARDS_LED).fetchone()
            return row is not None and row[0] == 4

        await eventually(all_led, 20)


async def published_since(world: World) -> None:
    """Returns when what is in the log now is in the topic."""
    with world.connect() as connection:
        heads = dict(connection.execute("SELECT shard, sequence FROM heads").fetchall())

        async def reached() -> bool:
            cursors = dict(connection.execute("SELECT shard, sequence FROM relay_cursors").fetchall())
            return all(cursors[shard] >= head for shard, head in heads.items())

        await eventually(reached, STOPPED_SECONDS)
