"""14: a topic is lost and restored while all runs: consumers go on by sequence, nothing is lost or done twice."""

import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from chassis.restore import Restored, restore
from chassis.testing import eventually
from contracts.envelope import Record
from tests.guarantees.harness import SHARDS, Traffic, World, make_topics
from tests.guarantees.plan import Plan
from tests.guarantees.proof import (
    REACTION,
    VIEW,
    logged,
    prove_acknowledged,
    prove_reactions,
    prove_view,
    settled,
    topic,
)


async def test_a_lost_topic_is_restored_while_all_runs(our_world: World, plan: Plan) -> None:
    """The relay goes on into the new topic, so that late events stand there before the restored ones."""
    service = our_world.start()
    await service.ready()
    traffic = Traffic(our_world, plan.rng)
    recovery: list[float] = []
    published = 0
    async with traffic.flowing():
        for _ in plan.rounds():
            await traffic.more(plan.some(100, 300))
            await delete_topic(our_world)
            await traffic.more(50)
            await make_topics(our_world.settings)
            begun = time.monotonic()
            await traffic.more(100)
            published += sum(shard.published for shard in await restored(our_world))
            await caught_up(our_world)
            recovery.append(time.monotonic() - begun)
            await traffic.more(50)
    await settled(our_world)
    history = await logged(our_world)
    prove_view(our_world, history)
    prove_reactions(history)
    prove_acknowledged(history, traffic)
    on_topic = await topic(our_world)
    for shard, events in history.items():
        assert {r.position for r in on_topic[shard]} == {event.position for event in events}
    assert service.alive
    records = sum(map(len, on_topic.values()))
    events = sum(map(len, history.values()))
    assert not sum(shard.published for shard in await restored(our_world))
    plan.tell(events=events, restored=published, duplicates_dropped=records - events, seconds_to_recover=max(recovery))


@pytest.mark.parametrize("repeated", [0, 3], ids=["fewer records than before", "more records than before"])
async def test_offsets_of_another_life_of_the_topic_do_not_matter(our_world: World, plan: Plan, repeated: int) -> None:
    """The service is down while its topic is made again, with fewer records (duplicates are gone) or with more."""
    first = our_world.start()
    await first.ready()
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await traffic.more(200)
    await settled(our_world)
    before = await topic(our_world)
    if not repeated:
        await publish_again(our_world, {shard: records[:20] for shard, records in before.items()}, 3)
        async with traffic.flowing():
            await traffic.more(100)
        await settled(our_world)
    first.kill()
    await delete_topic(our_world)
    await make_topics(our_world.settings)
    await publish_again(our_world, {shard: records[:20] for shard, records in before.items()}, repeated)
    await restored(our_world)
    offsets = next_offsets(our_world)
    ends = {shard: len(records) for shard, records in (await topic(our_world)).items()}
    assert all((ends[shard] < offsets[shard]) == (not repeated) for shard in range(SHARDS)), (ends, offsets)
    second = our_world.start()
    await second.ready()
    async with traffic.flowing():
        await traffic.more(100)
    await settled(our_world)
    history = await logged(our_world)
    prove_view(our_world, history)
    prove_reactions(history)
    prove_acknowledged(history, traffic)
    plan.tell(events=sum(map(len, history.values())), offsets_before=sum(offsets.values()), after=sum(ends.values()))


async def test_events_are_found_wherever_they_stand(our_world: World, plan: Plan) -> None:
    """As when a topic is restored behind what the relay had published meanwhile, and nothing comes after it."""
    relay = our_world.start("relay")
    await relay.ready()
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await traffic.more(300)
    await settled(our_world, ())
    relay.kill()
    before = await topic(our_world)
    await delete_topic(our_world)
    await make_topics(our_world.settings)
    cuts = {shard: sorted(plan.rng.sample(range(1, len(records)), 2)) for shard, records in before.items()}
    shuffled = {
        shard: records[b:] + records[a:b] + records[:a] for shard, records in before.items() for a, b in [cuts[shard]]
    }
    await publish_again(our_world, shuffled, 1)
    our_world.start("view")
    await settled(our_world, (VIEW,))
    prove_view(our_world, await logged(our_world))
    plan.tell(events=sum(map(len, before.values())))


async def delete_topic(world: World) -> None:
    """Returns when the broker no longer knows it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka_servers)
    await admin.start()
    try:
        await admin.delete_topics([world.topic])

        async def gone() -> bool:
            return world.topic not in await admin.list_topics()

        await eventually(gone)
    finally:
        await admin.close()


async def restored(world: World) -> list[Restored]:
    """What `portico bus restore` does; the last word on each shard."""
    said: dict[int, Restored] = {}
    async with world.streams(2) as streams:
        async for state in restore(streams.log, world.settings, range(SHARDS)):
            said[state.shard] = state
    return list(said.values())


async def caught_up(world: World) -> None:
    """Returns when view and reaction have everything that the log had at the call."""
    async with world.streams(2) as streams:
        heads = await streams.log.heads()

    async def done() -> bool:
        with world.connect() as connection:
            rows = connection.execute(
                "SELECT partition, min(sequence) FROM checkpoints WHERE consumer = ANY(%s) GROUP BY partition",
                ([VIEW, REACTION],),
            ).fetchall()
        return all(at >= heads[shard] for shard, at in rows)

    try:
        await eventually(done, 60)
    except TimeoutError:
        raise TimeoutError(world.processes[-1].said()) from None


async def publish_again(world: World, records: dict[int, list[Record]], times: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.settings.kafka_servers)
    await producer.start()
    try:
        for shard, found in records.items():
            for record in found * times:
                await producer.send(
                    world.topic, record.data, key=record.stream.encode(), partition=shard, headers=record.headers()
                )
        await producer.flush()
    finally:
        await producer.stop()


def next_offsets(world: World) -> dict[int, int]:
    with world.connect() as connection:
        return dict(
            connection.execute("SELECT partition, next_offset FROM checkpoints WHERE consumer = %s", (VIEW,)).fetchall()
        )
