"""2: of twenty parallel appends to one stream as many succeed as there are events afterwards; a key works once."""

import asyncio
import uuid
from datetime import UTC, datetime

import httpx
import psycopg

from chassis.errors import Conflict
from chassis.failpoints import Point
from chassis.log import Append, Appended, CommandKey, NewEvent, Refused
from chassis.streams import Request, Streams
from contracts.envelope import Metadata
from tests.chassis.events import COUNTER, Increased
from tests.guarantees.harness import World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import logged

PARALLEL = 20


def append(stream: str, expected: int, key: CommandKey | None = None) -> Append:
    return Append(stream, expected, (NewEvent(Increased.type, b'{"by":1}', Metadata()),), datetime.now(UTC), key)


async def test_one_of_twenty_for_the_same_version_succeeds(our_world: World, plan: Plan) -> None:
    """Each on a connection of its own, so that nothing but the database keeps them apart."""
    url = our_world.settings.database_url.get_secret_value()
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(PARALLEL)]
    try:
        async with our_world.streams(2) as streams:
            for number in plan.rounds(8):
                name = f"counter/{uuid.uuid4().hex}"
                expected = number % 3
                for version in range(expected):
                    await streams.log.append(append(name, version))
                results = await asyncio.gather(
                    *(streams.log.append_all([append(name, expected)], own) for own in connections)
                )
                accepted = [one for (one,) in results if isinstance(one, Appended)]
                assert len(accepted) == 1
                assert all(one.actual == expected + 1 for (one,) in results if isinstance(one, Refused))
                assert len((await streams.log.load([name]))[name]) == expected + 1
    finally:
        for own in connections:
            await own.close()
    await logged(our_world)
    plan.tell(parallel=PARALLEL)


async def test_successes_are_events_and_a_key_works_once(our_world: World, plan: Plan) -> None:
    """Commands from two processes' worth of pools, each of them sent twice at the same time."""
    successes = conflicts = 0
    async with our_world.streams(4) as one, our_world.streams(4) as other:
        for _ in plan.rounds(3):
            id_ = uuid.uuid4().hex
            keys = [Request(key=CommandKey(uuid.uuid4().hex, "f")) for _ in range(PARALLEL)]
            results = await asyncio.gather(*(execute(streams, id_, key) for streams in (one, other) for key in keys))
            done = {position for position in results if position}
            assert (await one.load(COUNTER, id_)).state == len(done)
            for first, second in zip(results[:PARALLEL], results[PARALLEL:], strict=True):
                assert first == second or not (first and second)
            successes += len(done)
            conflicts += results.count(None)
    history = await logged(our_world)
    assert sum(map(len, history.values())) == successes
    plan.tell(successes=successes, conflicts=conflicts)


async def test_a_command_whose_process_was_killed_happens_once_when_it_is_sent_again(
    our_world: World, plan: Plan
) -> None:
    """Before the append and after it: the client cannot tell, and need not."""
    kills = commands = 0
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in plan.rounds():
            for point in (Point.LOG_BEFORE_APPEND, Point.LOG_AFTER_APPEND):
                at = plan.rng.randint(2, 10)
                service = await our_world.start("", f"{point.value}=kill@{at}").ready()
                for _ in range(10):
                    header = {"Idempotency-Key": uuid.uuid4().hex}
                    try:
                        answer = await client.post(f"{service.url}/counters/anna", headers=header)
                    except httpx.TransportError:
                        kills += 1
                        service = await our_world.start("").ready()
                        answer = await client.post(f"{service.url}/counters/anna", headers=header)
                    assert answer.status_code == 200
                    commands += 1
                service.kill()
    assert sum(map(len, (await logged(our_world)).values())) == commands
    plan.tell(commands=commands, kills=kills)


async def execute(streams: Streams, id_: str, request: Request) -> str | None:
    try:
        return str((await streams.execute(COUNTER, id_, 1, request)).position)
    except Conflict:
        return None
