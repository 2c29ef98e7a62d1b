"""A consumer that was down for an hour of events catches up by itself, faster than they came, and misses none."""

import time
import uuid
from datetime import UTC, datetime

from chassis.failpoints import Point
from chassis.log import Append, NewEvent
from chassis.testing import eventually
from contracts.envelope import Metadata
from tests.chassis.events import Increased
from tests.guarantees.harness import Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import VIEW, prove, settled

#: In a log that fills at 2 events a second; the long form takes ten times as many.
HOUR_EVENTS = 7_200
APPEND_EVENTS = 90
READY_SECONDS = 12


async def test_it_catches_up_while_events_go_on(our_world: World, plan: Plan) -> None:
    our_world.start("relay")
    down = our_world.start("view")
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await traffic.more(20)
        down.kill()
    events = plan.some(1, 10) * HOUR_EVENTS
    await fill(our_world, events)
    await settled(our_world, ())
    async with traffic.flowing():
        started = time.monotonic()
        our_world.start("view")
        await traffic.more(20)
        await caught_up_to(our_world, events)
        seconds = time.monotonic() - started
    await prove(our_world, traffic, (VIEW,))
    assert seconds < 3600
    plan.tell(events_behind=events, s_to_catch_up=seconds, events_a_second=int(events / seconds))


async def test_it_is_ready_when_it_has_what_was_there(our_world: World, plan: Plan) -> None:
    """Also after a kill half way, and while more comes in all the time."""
    our_world.start("relay")
    await fill(our_world, plan.some(1, 4) * HOUR_EVENTS)
    await settled(our_world, ())
    traffic = Traffic(our_world, plan.rng, lanes=10, pause_ms=5)
    async with traffic.flowing():
        killed = our_world.start("view", f"{Point.CONSUMER_AFTER_COMMIT.value}=kill@4")
        await killed.ended()
        there = total(our_world, "SELECT sum(sequence) FROM relay_cursors")
        assert 0 < applied(our_world) < there
        started = time.monotonic()
        await our_world.start("view", f"{Point.CONSUMER_AFTER_BEGIN.value}=sleep:0.05").ready(
            plan.some(1, 4) * READY_SECONDS
        )
        seconds = time.monotonic() - started
        assert applied(our_world) >= there
    await prove(our_world, traffic, (VIEW,))
    plan.tell(events_there=there, s_until_ready=seconds)


def applied(world: World) -> int:
    """How many events the view has."""
    return total(world, "SELECT sum(sequence) FROM checkpoints WHERE consumer = %s", VIEW)


def total(world: World, statement: str, *parameters: str) -> int:
    with world.connect() as connection:
        row = connection.execute(statement, parameters).fetchone()
    return int(row[0]) if row and row[0] else 0


async def fill(world: World, events: int) -> None:
    """Appends so many events to streams of their own, many at once."""
    event = NewEvent(Increased.type, b'{"by":1}', Metadata())
    async with world.streams(4) as streams:
        for _ in range(events // APPEND_EVENTS // 40):
            appends = [
                Append(f"counter/{uuid.uuid4().hex}", 0, (event,) * APPEND_EVENTS, datetime.now(UTC)) for _ in range(40)
            ]
            await streams.log.append_all(appends)


async def caught_up_to(world: World, events: int) -> None:
    """Returns when the view has that many."""

    async def reached() -> bool:
        return applied(world) >= events

    await eventually(reached, 300)
