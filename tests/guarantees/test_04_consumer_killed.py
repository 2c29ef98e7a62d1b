"""4: a consumer may be killed at every step of a batch: views equal a fresh fold, reactions happened exactly once."""

from chassis.failpoints import Point
from tests.guarantees.harness import Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import prove

POINTS = [
    Point.CONSUMER_AFTER_BEGIN,
    Point.CONSUMER_AFTER_APPLY,
    Point.CONSUMER_BEFORE_COMMIT,
    Point.CONSUMER_AFTER_COMMIT,
]


async def test_views_equal_a_fresh_fold_and_reactions_happened_once(our_world: World, plan: Plan) -> None:
    our_world.start("relay")
    traffic = Traffic(our_world, plan.rng)
    kills = 0
    async with traffic.flowing():
        for _ in plan.rounds():
            for point in plan.rng.sample(POINTS, len(POINTS)):
                parts = plan.rng.choice([("view", "reaction"), ("view,reaction",)])
                at = [plan.rng.randint(1, plan.some(4, 9)) for _ in parts]
                consumers = [
                    our_world.start(part, f"{point.value}=kill@{n}") for part, n in zip(parts, at, strict=True)
                ]
                for consumer in consumers:
                    await consumer.ended()
                kills += len(consumers)
        our_world.start("view,reaction")
        await traffic.more(50)
    proof = await prove(our_world, traffic)
    plan.tell(events=proof.events, kills=kills)
