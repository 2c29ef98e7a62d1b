"""3: a relay may be killed before it sends, after, or before it saves its cursor: nothing is lost or applied twice."""

import time
from collections.abc import Sequence

from chassis.bus import open_producer
from chassis.failpoints import Point
from chassis.testing import eventually
from contracts.envelope import Record
from tests.guarantees.harness import Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import VIEW, logged, prove, settled

POINTS = [Point.RELAY_BEFORE_SEND, Point.RELAY_AFTER_SEND, Point.RELAY_BEFORE_SAVE, Point.RELAY_AFTER_SAVE]


async def test_nothing_is_lost_or_applied_twice(our_world: World, plan: Plan) -> None:
    our_world.start("view,reaction")
    traffic = Traffic(our_world, plan.rng)
    kills = 0
    async with traffic.flowing():
        for _ in plan.rounds():
            for point in plan.rng.sample(POINTS, len(POINTS)):
                relay = our_world.start("relay", f"{point.value}=kill@{plan.rng.randint(2, plan.some(4, 12))}")
                await relay.ended()
                kills += 1
                await traffic.more(20)
        our_world.start("relay")
        await traffic.more(50)
    proof = await prove(our_world, traffic)
    assert proof.duplicates
    plan.tell(events=proof.events, kills=kills, duplicates_dropped=proof.duplicates)


async def test_a_record_that_is_missing_stops_its_partition_until_it_is_there(our_world: World, plan: Plan) -> None:
    """As after a broker that lost what it had acknowledged: then the topic is refilled behind what came since."""
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await traffic.more(200)
    shard, records = max(((s, [e.record for e in es]) for s, es in (await logged(our_world)).items()), key=_length)
    lost = plan.rng.randrange(5, len(records) - 5)
    consumer = our_world.start("view")
    await publish(our_world, records[:lost] + records[lost + 2 :])

    async def stopped() -> bool:
        return f'"missing": {lost + 1}' in consumer.said()

    await eventually(stopped)
    assert at(our_world, shard) == lost
    await publish(our_world, records[lost:])
    with our_world.connect() as connection:
        connection.execute("UPDATE relay_cursors SET sequence = %s WHERE shard = %s", (len(records), shard))
    our_world.start("relay")
    started = time.monotonic()
    await settled(our_world, (VIEW,))
    plan.tell(events=len(records), missing=2, s_to_recover=time.monotonic() - started)


def _length(pair: tuple[int, list[Record]]) -> int:
    return len(pair[1])


async def publish(world: World, records: Sequence[Record]) -> None:
    async with open_producer(world.settings) as producer:
        for record in records:
            await producer.send_and_wait(
                world.topic, record.data, record.stream.encode(), record.position.shard, headers=record.headers()
            )


def at(world: World, shard: int) -> int:
    """The checkpoint of the view."""
    with world.connect() as connection:
        row = connection.execute(
            "SELECT sequence FROM checkpoints WHERE consumer = %s AND partition = %s", (VIEW, shard)
        ).fetchone()
    return row[0] if row else 0
