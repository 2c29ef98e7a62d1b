"""9: an event that cannot be applied parks its stream; all others flow on, and a retry applies it all in order."""

import asyncio
import uuid

from contracts.ids import stream
from tests.chassis.events import COUNTER
from tests.guarantees.harness import World
from tests.guarantees.plan import Plan
from tests.guarantees.poison import OTHER_POISON, POISON, Poisoned, poisoned

BAD = 5
GOOD = 20


async def test_only_its_stream_waits_and_a_retry_applies_it_in_order(our_world: World, plan: Plan) -> None:
    async with poisoned(our_world) as service:
        records = 0
        for _ in plan.rounds():
            service.fold.broken = {POISON, OTHER_POISON}
            bad, good = [uuid.uuid4().hex for _ in range(BAD)], [uuid.uuid4().hex for _ in range(GOOD)]
            await asyncio.gather(*(write(service, id_, plan, poison=id_ in bad) for id_ in bad + good))
            await service.applied()
            for id_ in good:
                assert await service.values(id_) == await service.history(id_)
            records += await check_parked(service, bad)
            await mend_by_and_by(service, bad)
            await retry_while_writing(service, bad, plan)
            assert await service.parked() == []
            for id_ in bad:
                assert await service.values(id_) == await service.history(id_)
        plan.tell(streams_parked=BAD, records_parked=records)


async def write(service: Poisoned, id_: str, plan: Plan, *, poison: bool) -> None:
    """A counter's life of increases, all different, with a poisonous one in the middle of some."""
    for number in range(1, plan.rng.randint(4, 12)):
        await service.increase(id_, number)
        if poison and number == 3:
            await service.increase(id_, POISON)
    if poison:
        await service.increase(id_, OTHER_POISON)
        await service.increase(id_, 50)


async def mend_by_and_by(service: Poisoned, bad: list[str]) -> None:
    """A retry goes as far as it can: up to the next event that fails."""
    service.fold.broken = {OTHER_POISON}
    for id_ in bad:
        history = await service.history(id_)
        assert (await service.retry(stream(COUNTER.kind, id_)))["records"] == len(history) - 5
        assert await service.values(id_) == history[:-2]
    assert {entry["count"] for entry in await service.parked()} == {2}
    service.fold.broken.clear()


async def check_parked(service: Poisoned, bad: list[str]) -> int:
    """Each waits from its poisonous event on; a retry that fails again changes nothing."""
    parked = {entry["stream"]: entry for entry in await service.parked()}
    assert parked.keys() == {stream(COUNTER.kind, id_) for id_ in bad}
    for id_ in bad:
        entry, history = parked[stream(COUNTER.kind, id_)], await service.history(id_)
        assert entry["count"] == len(history) - 3
        assert "poison" in entry["error"]
        assert (await service.retry(entry["stream"]))["records"] == 0
        assert await service.values(id_) == history[:3] == [1, 2, 3]
    return sum(entry["count"] for entry in parked.values())


async def retry_while_writing(service: Poisoned, bad: list[str], plan: Plan) -> None:
    """The streams get new events while they are retried, once each: none may stay behind or overtake."""

    async def go_on(id_: str) -> None:
        for number in range(100, 130):
            await service.increase(id_, number)
            await asyncio.sleep(plan.rng.random() * 0.01)

    async def retry(id_: str) -> None:
        await asyncio.sleep(plan.rng.random() * 0.2)
        await service.retry(stream(COUNTER.kind, id_))

    await asyncio.gather(*(go_on(id_) for id_ in bad), *(retry(id_) for id_ in bad))
    await service.applied()
