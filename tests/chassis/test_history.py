"""What every service tells staff of its streams: the newest first, page by page, and nothing that is sealed."""

import base64
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from chassis.auth import LocalKeys, Principal, Role, generate_key, issue
from chassis.decider import Decider
from chassis.history import MAXIMUM_STREAMS
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Request
from chassis.testing import RunningService, running
from chassis.texts import Texts
from chassis.topics import ensure_topics
from contracts.envelope import Metadata, Record
from contracts.ids import Position, stream
from tests.chassis.conftest import PASSWORDS, SHARDS
from tests.chassis.events import COUNTER, Greeted

KEY = generate_key()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MASTER_KEY = base64.b64encode(os.urandom(32)).decode()
GREETING: Decider[Greeted, None] = Decider("greeting", None, lambda event, _: [event], lambda *_: None)
ACTING = Metadata("c-1", "portal/0:7", "staff/eva", None, "user/ben")


def create(settings: Settings) -> Service:
    return Service("billing", settings, Texts({}), keys=LocalKeys([KEY]))


@pytest.fixture
async def billing(database: str, kafka_servers: str, topic_prefix: str) -> AsyncIterator[RunningService]:
    settings = Settings(
        database_url=provision_database(database, {"billing": PASSWORDS["billing"]}, SHARDS)["billing"],
        kafka_servers=kafka_servers,
        topic_prefix=topic_prefix,
        master_key=MASTER_KEY,
        identity_url="http://127.0.0.1:9",
    )
    await ensure_topics(settings)
    async with running(create, settings) as service:
        yield service


async def ask(billing: RunningService, *streams: str, role: Role = "staff", **more: object) -> httpx.Response:
    token = issue(KEY, Principal(role, "staff/eva").claims(), timedelta(minutes=1))
    query = [("stream", each) for each in streams] + [(name, str(value)) for name, value in more.items()]
    return await billing.client.get("/history", params=query, headers={"Authorization": f"Bearer {token}"})


async def counted(billing: RunningService, times: int) -> list[str]:
    """Two counters, increased in turn."""
    ids = [uuid.uuid4().hex, uuid.uuid4().hex]
    for number in range(times):
        await billing.service.streams.execute(COUNTER, ids[number % 2], number + 1, Request(ACTING))
    return [stream("counter", each) for each in ids]


async def test_who_did_what_when_and_why(billing: RunningService) -> None:
    (name, _) = await counted(billing, 1)
    answer = await ask(billing, name)
    (record,) = (await billing.service.log.load([name]))[name]
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.json() == {
        "items": [
            {
                "position": str(record.position),
                "stream": name,
                "version": 1,
                "type": "portico.billing.TestIncreased.v1",
                "time": record.time.isoformat().replace("+00:00", "Z"),
                "actor": "staff/eva",
                "acted_as": "user/ben",
                "cause": "portal/0:7",
                "correlation_id": "c-1",
                "data": {"by": 1},
            }
        ],
        "next": None,
    }


async def test_streams_are_told_as_one_page_by_page(billing: RunningService) -> None:
    names = await counted(billing, 7)
    told, before = [], None
    for _ in range(4):
        page = (await ask(billing, *names, limit=2, **({"before": before} if before else {}))).json()
        assert len(page["items"]) <= 2
        told += [each["data"]["by"] for each in page["items"]]
        before = page["next"]
    assert (told, before) == ([7, 6, 5, 4, 3, 2, 1], None)


async def test_what_is_sealed_stays_sealed(billing: RunningService) -> None:
    id_ = uuid.uuid4().hex
    await billing.service.streams.execute(GREETING, id_, Greeted(person=f"contact/{id_}", name="Ben Krüger"))
    answer = await ask(billing, f"greeting/{id_}", role="operator")
    (event,) = answer.json()["items"]
    assert set(event["data"]["name"]) == {"sealed", "box"}
    assert "Krüger" not in answer.text


async def test_what_cannot_be_told(billing: RunningService) -> None:
    (name, other) = await counted(billing, 2)
    assert (await ask(billing, "counter/nobody")).json() == {"items": [], "next": None}
    foreign = (await ask(billing, other)).json()["items"][0]["position"]
    refused = await ask(billing, name, before=foreign)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_position")
    assert (await ask(billing)).status_code == 422
    assert (await ask(billing, *(f"counter/{n}" for n in range(MAXIMUM_STREAMS + 1)))).status_code == 422
    assert (await ask(billing, name, limit=1_000)).status_code == 422


@pytest.mark.parametrize("role", ["customer", "installer", "erp", "gateway", "service"])
async def test_it_is_for_staff(billing: RunningService, role: Role) -> None:
    assert (await ask(billing, "counter/1", role=role)).status_code == 403


def test_as_whom_somebody_acted_is_published() -> None:
    record = Record(Position("billing", 0, 1), "counter/1", 1, "t", NOW, ACTING, b"{}")
    assert Record.from_kafka(record.headers(), b"{}") == record
