"""Ten thousand parked events hold nobody up: others flow, looking at them and applying them again stay bounded."""

import asyncio
import time
import uuid
from datetime import UTC, datetime

from chassis.log import Append, NewEvent
from contracts.envelope import Metadata
from contracts.ids import stream
from tests.chassis.events import COUNTER, Increased
from tests.guarantees.harness import World
from tests.guarantees.plan import Plan
from tests.guarantees.poison import POISON, Poisoned, poisoned

EVENTS = 10_000
LISTED_SECONDS = 2.0
FLOW_SECONDS = 5.0
MAXIMUM_RETRIES = 100


async def test_others_flow_and_all_can_be_retried(our_world: World, plan: Plan) -> None:
    async with poisoned(our_world) as service:
        bad = [uuid.uuid4().hex for _ in range(plan.some(40, 200))]
        await service.service.log.append_all([poisonous(id_, EVENTS // len(bad)) for id_ in bad])
        await service.applied()
        started = time.monotonic()
        parked = await service.parked()
        listed = time.monotonic() - started
        assert sum(entry["count"] for entry in parked) == EVENTS
        assert listed < LISTED_SECONDS

        good = [uuid.uuid4().hex for _ in range(50)]
        started = time.monotonic()
        await asyncio.gather(*(service.increase(id_, 7) for id_ in good))
        await service.applied()
        flowed = time.monotonic() - started
        assert flowed < FLOW_SECONDS
        assert [await service.values(id_) for id_ in good] == [[7]] * len(good)

        service.fold.broken.clear()
        applied, seconds = await retry_all(service)
        assert applied == EVENTS
        assert await service.parked() == []
        for id_ in bad:
            assert await service.values(id_) == await service.history(id_)
    plan.tell(parked=applied, s_to_list=listed, s_for_others=flowed, s_to_retry_all=seconds)


def poisonous(id_: str, count: int) -> Append:
    """A stream that cannot be applied from its first event on."""
    values = [POISON, *range(1, count)]
    events = tuple(NewEvent(Increased.type, b'{"by":%d}' % by, Metadata()) for by in values)
    return Append(stream(COUNTER.kind, id_), 0, events, datetime.now(UTC))


async def retry_all(service: Poisoned) -> tuple[int, float]:
    """As an operator does it, call by call; returns how many were applied, and the seconds it took."""
    applied, started = 0, time.monotonic()
    for _ in range(MAXIMUM_RETRIES):
        done = await service.retry()
        applied += done["records"]
        if not done["streams_left"]:
            break
    return applied, time.monotonic() - started
