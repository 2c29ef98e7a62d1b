"""6: instances of a service come, go, die and stand still in any order: whoever lost his partitions is fenced."""

import time

from chassis.failpoints import Point
from chassis.testing import eventually
from tests.guarantees.harness import SECONDS, Process, Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.program import HASTE
from tests.guarantees.proof import prove, settled

PART = "view,reaction"
STEPS = ("start", "kill", "terminate", "pause")
FENCED = "Fenced"


async def test_a_storm_of_rebalances_loses_and_repeats_nothing(our_world: World, plan: Plan) -> None:
    our_world.start("relay")
    instances = [our_world.start(PART, **hasty(plan)) for _ in range(2)]
    traffic = Traffic(our_world, plan.rng)
    done = dict.fromkeys(STEPS, 0)
    async with traffic.flowing():
        await traffic.more(30)
        for _ in plan.rounds():
            for step in plan.rng.sample(STEPS, len(STEPS)):
                await take(step, our_world, instances, plan, traffic)
                done[step] += 1
    proof = await prove(our_world, traffic)
    plan.tell(events=proof.events, **{f"{step}s": times for step, times in done.items()})


async def take(step: str, world: World, instances: list[Process], plan: Plan, traffic: Traffic) -> None:
    """One step of the storm; two or three instances are left."""
    chosen = plan.rng.choice(instances)
    if step == "pause":
        await chosen.ready()
        chosen.pause()
        await settled_while_flowing(world, traffic)
        chosen.go_on()
    elif step != "start":
        instances.remove(chosen)
        chosen.kill() if step == "kill" else chosen.terminate()
    while len(instances) < 2 or (step == "start" and len(instances) < 3):
        instances.append(world.start(PART, **hasty(plan)))
    await traffic.more(plan.rng.randint(10, 60))


async def test_a_consumer_that_stood_still_in_a_transaction_is_fenced(our_world: World, plan: Plan) -> None:
    """Its partitions go to another after its session, the locks of its transaction a little later; then it wakes up."""
    our_world.start("relay")
    zombie = our_world.start(PART, f"{Point.CONSUMER_BEFORE_COMMIT.value}=stop@{plan.rng.randint(3, 9)}", **hasty(plan))
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await zombie.stopped()
        started = time.monotonic()
        await traffic.more(50)
        our_world.start(PART)
    await settled(our_world)
    taken_over = time.monotonic() - started
    zombie.go_on()
    async with traffic.flowing():
        await traffic.more(50)
    proof = await prove(our_world, traffic)
    plan.tell(events=proof.events, s_until_taken_over=taken_over)


async def test_a_consumer_that_stood_still_between_batches_is_fenced(our_world: World, plan: Plan) -> None:
    our_world.start("relay")
    zombie = our_world.start(PART, f"{Point.CONSUMER_AFTER_COMMIT.value}=stop@{plan.rng.randint(3, 9)}", **hasty(plan))
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await zombie.stopped()
        other = our_world.start(PART)
        await traffic.more(50)
        await other.ready()
        await settled_while_flowing(our_world, traffic)
        zombie.go_on()
        await traffic.more(50)
    proof = await prove(our_world, traffic)
    plan.tell(events=proof.events, fenced=zombie.said().count(FENCED) + zombie.said().count("taken over"))


def hasty(plan: Plan) -> dict[str, str]:
    """Who stands still in a transaction keeps its locks for ten seconds, as in production, only in the long form."""
    return {HASTE: str(plan.some(4, 1))}


async def settled_while_flowing(world: World, traffic: Traffic) -> None:
    """Returns when view and reaction have applied what was in each shard of the log now."""
    await traffic.more(10)
    with world.connect() as connection:
        wanted = dict(connection.execute("SELECT shard, sequence FROM heads").fetchall())

        async def went_on() -> bool:
            done = connection.execute("SELECT partition, sequence FROM checkpoints").fetchall()
            return len(done) == 2 * len(wanted) and all(sequence >= wanted[shard] for shard, sequence in done)

        await eventually(went_on, SECONDS)
