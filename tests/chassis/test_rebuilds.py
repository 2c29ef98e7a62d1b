"""Rebuilds beside the live view: what operators ask for, what is refused, and what becomes of parked events."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.consumer import Consumer
from chassis.reactions import Reaction
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.texts import Texts
from chassis.view_tables import drop_unused
from tests.chassis.events import COUNTER, COUNTERS, POISON, Increased, echo
from tests.chassis.test_service import document, settings, shown

__all__ = ["settings"]

PLAIN = COUNTERS.consumer


def create(settings: Settings, key: OKPKey) -> Service:
    service = Service("billing", settings, Texts({}), keys=LocalKeys([key]))
    service.view(COUNTERS)
    service.react(Reaction("echo", (Increased,), echo))
    return service


@pytest.fixture
async def ours(settings: Settings) -> AsyncIterator[RunningService]:
    key = generate_key()
    async with running(partial(create, key=key), settings) as service:
        token = issue(key, Principal("operator", "ops-anna").claims(), timedelta(hours=1))
        service.client.headers["Authorization"] = f"Bearer {token}"
        yield service


def view_consumer(service: Service) -> Consumer:
    return next(consumer for consumer in service.consumers if consumer.source.name == PLAIN)


async def rows(service: Service, statement: str, *parameters: object) -> list[Any]:
    async with service.pool.connection() as connection:
        return await (await connection.execute(statement, parameters)).fetchall()


async def rebuilt(ours: RunningService, source: str = "topic") -> dict[str, Any]:
    """Asks for a rebuild and waits until it is over."""
    begun = await ours.client.post("/ops/views/rebuild", json={"view": "counters", "source": source})
    assert begun.status_code == 202, begun.text

    async def over() -> dict[str, Any] | None:
        (view,) = (await ours.client.get("/ops/views")).json()["items"]
        rebuild: dict[str, Any] = view["rebuild"]
        assert rebuild["id"] == begun.json()["id"]
        return rebuild if rebuild["ended_at"] else None

    return await eventually(over, 20) or {}


@pytest.mark.parametrize("source", ["topic", "log"])
async def test_indexes_and_further_rebuilds_are_as_before(ours: RunningService, source: str) -> None:
    service, id_ = ours.service, uuid.uuid4().hex
    definition = "SELECT indexname FROM pg_indexes WHERE tablename = 'view_counters_v1' AND indexdef LIKE '%%total%%'"
    await service.streams.execute(COUNTER, id_, 1)
    for _ in range(2):
        outcome = await service.streams.execute(COUNTER, id_, 2)
        assert (await rebuilt(ours, source))["outcome"] == "swapped"
        assert (await shown(service, id_, outcome.position) or {})["total"] in {3, 5}
        assert await rows(service, definition) == [("view_counters_v1_total",)]
    status = (await ours.client.get("/ops/status")).json()
    assert (status["rebuilds"], status["parked"]) == ([], [])


async def test_parked_events_follow_and_dropped_ones_stay_dropped(ours: RunningService) -> None:
    service = ours.service
    dropped, poisoned = uuid.uuid4().hex, uuid.uuid4().hex
    for id_ in (dropped, poisoned):
        for by in (1, POISON, 2):
            outcome = await service.streams.execute(COUNTER, id_, by)
        await shown(service, id_, outcome.position)
    listed = (await ours.client.get("/ops/parked")).json()["items"]
    assert {item["stream"] for item in listed} == {f"counter/{dropped}", f"counter/{poisoned}"}
    poison = (await service.streams.history(f"counter/{dropped}"))[1]
    (item,) = [item for item in listed if item["stream"] == f"counter/{dropped}"]
    assert (item["position"], item["type"], item["count"]) == (str(poison.position), Increased.type, 2)
    wanted = {"consumer": PLAIN, "stream": f"counter/{dropped}"}
    answer = await ours.client.post("/ops/parked/drop", json=wanted)
    assert answer.json() == {"records": 1, "streams_left": 2, "next": None}
    answer = await ours.client.post("/ops/parked/retry", json=wanted)
    assert answer.json() == {"records": 1, "streams_left": 1, "next": None}
    assert await rows(service, "SELECT position, actor FROM dropped") == [(str(poison.position), "ops-anna")]
    for source in ("topic", "log"):
        await rebuilt(ours, source)
        assert (await document(service, dropped) or {})["total"] == 3
        assert (await document(service, poisoned) or {})["total"] == 1
        (item,) = (await ours.client.get("/ops/parked")).json()["items"]
        assert (item["consumer"], item["stream"], item["count"]) == (PLAIN, f"counter/{poisoned}", 2)
    answer = await ours.client.post("/ops/parked/drop", json={"consumer": PLAIN})
    assert answer.json() == {"records": 1, "streams_left": 1, "next": None}
    answer = await ours.client.post("/ops/parked/retry", json={"consumer": PLAIN})
    assert answer.json() == {"records": 1, "streams_left": 0, "next": None}
    assert (await document(service, poisoned) or {})["total"] == 3


async def test_what_is_refused(ours: RunningService) -> None:
    async def refusal(path: str, **body: str) -> tuple[int, str]:
        answer = await ours.client.post(path, json=body)
        return answer.status_code, answer.json()["code"]

    assert await refusal("/ops/views/rebuild", view="unknown") == (404, "unknown_view")
    assert await refusal("/ops/views/cancel", view="counters") == (409, "no_rebuild_under_way")
    assert await refusal("/ops/parked/retry", consumer="unknown") == (404, "unknown_consumer")
    assert await refusal("/ops/views/rebuild", view="counters", source="moon") == (422, "invalid_request")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ours.service.http), base_url="http://b") as client:
        anonymous = await client.get("/ops/views")
    assert anonymous.status_code == 401


async def test_a_reader_who_holds_the_table_delays_the_swap_and_nobody_else(ours: RunningService) -> None:
    """Then it is cancelled, and nothing of it is left."""
    service, id_ = ours.service, uuid.uuid4().hex
    await service.streams.execute(COUNTER, id_, 1)
    async with service.pool.connection() as slow, slow.transaction():
        await slow.execute("SELECT count(*) FROM view_counters_v1")
        assert (await ours.client.post("/ops/views/rebuild", json={"view": "counters"})).status_code == 202
        again = await ours.client.post("/ops/views/rebuild", json={"view": "counters"})
        assert (again.status_code, again.json()["code"]) == (409, "rebuild_under_way")

        async def tried() -> list[Any]:
            return await rows(
                service, "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted AND relation = "
                "'view_counters_v1'::regclass"
            )  # fmt: skip

        await eventually(tried, 20)
        outcome = await service.streams.execute(COUNTER, id_, 1)
        assert (await shown(service, id_, outcome.position) or {})["total"] == 2
        assert (await ours.client.post("/ops/views/cancel", json={"view": "counters"})).status_code == 204

    async def nothing_left() -> bool:
        tables = await rows(service, "SELECT FROM pg_tables WHERE tablename LIKE 'view_counters_v1\\_r%%'")
        return not tables and not await rows(service, "SELECT FROM checkpoints WHERE consumer LIKE %s", "%:r%")

    await eventually(nothing_left)
    assert (await document(service, id_) or {})["total"] == 2


async def test_versions_that_nobody_uses_are_dropped(ours: RunningService) -> None:
    service = ours.service
    async with service.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO views (name, version, used_at) VALUES ('counters', 0, now() - interval '8 days'), "
            "('gone', 3, now() - interval '6 days')"
        )
        await connection.execute("CREATE TABLE view_counters_v0 (key text)")
        await connection.execute("UPDATE views SET used_at = now() - interval '9 days' WHERE version = 1")
        assert await drop_unused(connection, [COUNTERS]) == [("counters", 0)]
    assert await rows(service, "SELECT to_regclass('view_counters_v0')") == [(None,)]
    listed = (await ours.client.get("/ops/views")).json()["items"]
    assert [(item["name"], item["version"], item["live"]) for item in listed] == [
        ("counters", 1, True),
        ("gone", 3, False),
    ]
