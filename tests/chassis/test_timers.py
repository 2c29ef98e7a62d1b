"""Timers on real PostgreSQL and Kafka, with a clock that the tests move."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import failpoints
from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.decider import Decider, Do
from chassis.failpoints import Failed, Point
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.texts import Texts
from chassis.timers import CancelTimer, DueTimer, SetTimer, Timer, Timers
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.ids import stream_id
from tests.chassis.conftest import PASSWORDS, SHARDS
from tests.chassis.events import COUNTER, POISON, Increased

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CANCEL = -1
KEY = generate_key()


def ring(command: datetime, heard: int) -> list[Event]:
    if heard < 0:
        raise ZeroDivisionError("poison")
    return [Increased(by=1)]


def hear(heard: int, event: Event) -> int:
    return -1 if isinstance(event, Increased) and event.by == POISON else heard + 1


BELL: Decider[datetime, int] = Decider("bell", 0, ring, hear)


def follow(envelope: Envelope) -> Iterable[SetTimer | CancelTimer]:
    """A counter that is increased by n rings n hours after noon; by less than nothing: not at all."""
    if isinstance(envelope.event, Increased) and envelope.stream.startswith("counter/"):
        id_, by = stream_id(envelope.stream), envelope.event.by
        yield CancelTimer(id_) if by < 0 else SetTimer(id_, NOON + by * HOUR, {"by": by})


def fire(due: DueTimer) -> Iterable[Do[Any, Any]]:
    assert due.payload["by"] * HOUR + NOON == due.due <= due.now
    return [Do(BELL, due.id, due.now)]


BELLS = Timer("bells", (Increased,), follow, fire)


@dataclass
class World:
    """A service whose clock the tests move."""

    running: RunningService
    clock: list[datetime]

    @property
    def service(self) -> Service:
        return self.running.service

    async def count(self, id_: str, by: int) -> None:
        """Increases a counter, and waits until its timer is set."""
        await self.service.streams.execute(COUNTER, id_, by)
        await self.service._timers_set()

    async def rung(self, id_: str) -> int:
        return (await self.service.streams.load(BELL, id_)).version

    async def rings(self, id_: str) -> None:
        async def has_rung() -> bool:
            return bool(await self.rung(id_))

        await eventually(has_rung)

    async def pending(self) -> set[str]:
        async with self.service.pool.connection() as connection:
            return {row[0] for row in await (await connection.execute("SELECT id FROM timers")).fetchall()}


@pytest.fixture(scope="module")
async def settings(database: str, kafka_servers: str) -> Settings:
    settings = Settings(
        database_url=provision_database(database, {"billing": PASSWORDS["billing"]}, SHARDS)["billing"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}",
        master_key=base64.b64encode(b"k" * 32).decode(),
        development=True,
    )
    await ensure_topics(settings)
    return settings


@pytest.fixture(scope="module")
async def world(settings: Settings) -> AsyncIterator[World]:
    clock = [NOON]

    def create(settings: Settings) -> Service:
        service = Service("billing", settings, Texts({}), keys=LocalKeys([KEY]), clock=lambda: clock[0])
        service.timer(BELLS)
        return service

    async with running(create, settings) as service:
        yield World(service, clock)


@pytest.fixture(autouse=True)
def noon(world: World) -> Iterator[None]:
    world.clock[0] = NOON
    yield
    failpoints.arm("")
    world.clock[0] = NOON


def new_id() -> str:
    return uuid.uuid4().hex


async def test_a_timer_fires_once_when_it_is_due(world: World) -> None:
    early, late = new_id(), new_id()
    await world.count(early, 2)
    await world.count(late, 9)
    assert {early, late} <= await world.pending()
    world.clock[0] = NOON + 3 * HOUR
    await world.rings(early)
    assert (await world.rung(early), await world.rung(late)) == (1, 0)
    assert await world.service.timers.fire(NOON + 3 * HOUR) == 0
    (rung,) = await world.service.streams.history(f"bell/{early}")
    (counted,) = await world.service.streams.history(f"counter/{early}")
    assert rung.metadata.causation_id == str(counted.position)


async def test_a_timer_set_again_is_moved_and_one_cancelled_does_not_fire(world: World) -> None:
    moved, cancelled = new_id(), new_id()
    await world.count(moved, 1)
    await world.count(moved, 5)
    await world.count(cancelled, 1)
    await world.count(cancelled, CANCEL)
    assert cancelled not in await world.pending()
    await world.service.timers.fire(NOON + 4 * HOUR)
    assert (await world.rung(moved), await world.rung(cancelled)) == (0, 0)
    await world.service.timers.fire(NOON + 5 * HOUR)
    assert (await world.rung(moved), await world.rung(cancelled)) == (1, 0)


async def test_what_is_due_already_when_it_is_set_fires_at_once(world: World) -> None:
    id_ = new_id()
    world.clock[0] = NOON + 8 * HOUR
    await world.count(id_, 1)
    await world.rings(id_)


@pytest.mark.parametrize("point", [Point.TIMERS_BEFORE_COMMIT, Point.TIMERS_AFTER_COMMIT])
async def test_an_end_in_between_neither_loses_nor_repeats(world: World, point: Point) -> None:
    id_ = new_id()
    await world.count(id_, 1)
    failpoints.arm(f"{point.value}=error")
    with pytest.raises(Failed):
        await world.service.timers.fire(NOON + HOUR)
    committed = point is Point.TIMERS_AFTER_COMMIT
    assert await world.rung(id_) == int(committed)
    failpoints.arm("")
    await world.service.timers.fire(NOON + HOUR)
    assert await world.rung(id_) == 1


async def test_two_instances_fire_each_timer_once(world: World) -> None:
    ids = [new_id() for _ in range(30)]
    for id_ in ids:
        await world.service.streams.execute(COUNTER, id_, 1)
    await world.service._timers_set()
    other = Timers(world.service.pool, world.service.streams)
    other.kinds = world.service.timers.kinds
    await asyncio.gather(*(each.fire(NOON + HOUR) for each in (other, world.service.timers, other)))
    assert [await world.rung(id_) for id_ in ids] == [1] * 30


async def test_one_that_fails_is_tried_again_later_and_holds_up_no_other(world: World) -> None:
    service, bad, good = world.service, new_id(), new_id()
    await service.streams.execute(Decider("bell", 0, lambda by, _: [Increased(by=by)], hear), bad, POISON)
    await world.count(bad, 1)
    await world.count(good, 1)
    await service.timers.fire(NOON + HOUR)
    assert (await world.rung(good), await world.rung(bad)) == (1, 1)
    (told,) = (await service.status())["timers"]
    assert (told["name"], told["failing"], told["error"]) == ("bells", 1, "ZeroDivisionError: poison")
    assert await service.timers.fire(NOON + HOUR) == 0
    assert await service.timers.fire(NOON + 2 * HOUR) == 1
    await world.count(bad, CANCEL)
    assert (await service.status())["timers"][0]["failing"] == 0


async def test_in_development_time_passes_at_once(world: World) -> None:
    id_ = new_id()
    await world.service.streams.execute(COUNTER, id_, 7)
    headers = {"Authorization": f"Bearer {issue(KEY, Principal('operator', 'o').claims(), HOUR)}"}
    wanted = {"as_of": (NOON + 7 * HOUR).isoformat()}
    answer = await world.running.client.post("/development/timers", json=wanted, headers=headers)
    assert answer.json()["fired"] >= 1
    assert await world.rung(id_) == 1
    assert (await world.running.client.post("/development/timers", json=wanted)).status_code == 401
    bare = {"as_of": "2027-03-01T12:00:00"}
    assert (await world.running.client.post("/development/timers", json=bare, headers=headers)).status_code == 422


async def test_timers_outlive_their_service(world: World, settings: Settings) -> None:
    id_ = new_id()
    await world.count(id_, 20)

    def create(settings: Settings) -> Service:
        service = Service("billing", settings, Texts({}), keys=LocalKeys([KEY]), clock=lambda: NOON + 20 * HOUR)
        service.timer(BELLS)
        return service

    production = settings.model_copy(update={"development": False})
    async with running(create, production) as other:
        await world.rings(id_)
        headers = {"Authorization": f"Bearer {issue(KEY, Principal('operator', 'o').claims(), HOUR)}"}
        wanted = {"as_of": NOON.isoformat()}
        refused = await other.client.post("/development/timers", json=wanted, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden_outside_development")
