"""A clock that runs ahead and is then set back changes no order and stops nothing: sequences order, times only tell."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.guarantees.harness import Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.program import CLOCK_SECONDS
from tests.guarantees.proof import logged, prove

HOURS = 5


async def test_events_flow_in_order_whatever_the_clock_says(our_world: World, plan: Plan) -> None:
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        for hours in (HOURS, -HOURS):
            clock = {CLOCK_SECONDS: str(timedelta(hours=hours).total_seconds())}
            service = await our_world.start("relay,view,reaction", **clock).ready()
            await increase(service.url, "anna", 10)
            await traffic.more(50)
            service.terminate()
            await service.ended()
        our_world.start("relay,view,reaction")
        await traffic.more(50)
    proof = await prove(our_world, traffic)
    history = [e for events in (await logged(our_world)).values() for e in events if e.stream == "counter/anna"]
    assert len(history) == 20
    times = [envelope.time for envelope in history]
    assert times[0] - times[-1] > timedelta(hours=2 * HOURS - 1)
    assert max(times) > datetime.now(UTC) + timedelta(hours=HOURS - 1)
    plan.tell(events=proof.events, hours_set_back=2 * HOURS)


async def increase(url: str, id_: str, count: int) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in range(count):
            (await client.post(f"{url}/counters/{id_}")).raise_for_status()
