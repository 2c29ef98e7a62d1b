"""`portico parked`, `views` and `bus` against a service at work, over a real socket."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from chassis.auth import Principal, generate_key, issue
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import eventually, running
from cli.main import app
from tests.chassis.events import COUNTER, POISON
from tests.chassis.test_consumer import make_again
from tests.chassis.test_rebuilds import create, view_consumer
from tests.chassis.test_service import document, settings

__all__ = ["settings"]


@dataclass(frozen=True)
class Reached:
    """A service, and the environment by which the commands find it."""

    service: Service
    environment: dict[str, str]

    async def run(self, *arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=self.environment)

    async def said(self, *arguments: str) -> str:
        result = await self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
async def reached(settings: Settings) -> AsyncIterator[Reached]:
    key = generate_key()
    async with running(partial(create, key=key), settings) as ours:
        config = uvicorn.Config(ours.service.http, port=0, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())

        async def started() -> bool:
            return server.started

        await eventually(started)
        port = server.servers[0].sockets[0].getsockname()[1]
        token = issue(key, Principal("operator", "ops-anna").claims(), timedelta(hours=1))
        yield Reached(
            ours.service,
            {
                "PORTICO_BILLING_URL": f"http://127.0.0.1:{port}",
                "PORTICO_TOKEN": token,
                "PORTICO_KAFKA_SERVERS": settings.kafka_servers,
                "PORTICO_TOPIC_PREFIX": settings.topic_prefix,
                "PORTICO_DATABASE_URL": settings.database_url.get_secret_value(),
                "COLUMNS": "300",
            },
        )
        server.should_exit = True
        await task


async def test_parked_events_are_shown_given_up_and_retried(reached: Reached) -> None:
    assert (await reached.said("parked", "list")).strip() == "Nothing is parked."
    ids = [uuid.uuid4().hex for _ in range(3)]
    for id_ in ids:
        for by in (1, POISON, 2):
            await reached.service.streams.execute(COUNTER, id_, by)

    async def parked() -> bool:
        items = await view_consumer(reached.service).applier.parking.listed()
        return sum(item["count"] for item in items) == 6

    await eventually(parked)
    poison = (await reached.service.streams.history(f"counter/{ids[0]}"))[1]
    items = json.loads(await reached.said("parked", "list", "--json"))["parked"]
    assert sorted(item["count"] for item in items) == [2, 2, 2]
    table = await reached.said("parked", "list")
    line = next(line for line in table.splitlines() if f"counter/{ids[0]}" in line)
    assert {"billing/view:counters:v1", str(poison.position), "portico.billing.TestIncreased.v1"} <= set(line.split())
    consumer = "billing/view:counters:v1"
    assert "0 events were applied; 3 streams" in await reached.said("parked", "retry", consumer, f"counter/{ids[0]}")
    assert "1 events were given up; 3 streams" in await reached.said("parked", "drop", consumer, f"counter/{ids[0]}")
    assert "1 events were applied; 2 streams" in await reached.said("parked", "retry", consumer, f"counter/{ids[0]}")
    assert "2 events were given up; 2 streams" in await reached.said("parked", "drop", consumer, "--all")
    assert "2 events were applied; nothing is parked" in await reached.said("parked", "retry", consumer, "--all")
    assert [(await document(reached.service, id_) or {})["total"] for id_ in ids] == [3, 3, 3]


async def test_a_view_is_listed_and_rebuilt(reached: Reached) -> None:
    await reached.service.streams.execute(COUNTER, uuid.uuid4().hex, 1)
    assert "was rebuilt and swapped in after" in await reached.said("views", "rebuild", "billing/counters")
    assert "swapped in" in await reached.said("views", "rebuild", "billing/counters", "--from", "log")
    assert "has begun" in await reached.said("views", "rebuild", "billing/counters", "--no-wait")

    async def rebuilt() -> bool:
        (view,) = json.loads(await reached.said("views", "list", "--json"))["views"]
        return bool(view["rebuild"]["outcome"] == "swapped" and view["live"])

    await eventually(rebuilt)
    assert "live, rebuilt" in await reached.said("views", "list")


async def test_a_lost_topic_is_restored(reached: Reached) -> None:
    id_ = uuid.uuid4().hex
    for _ in range(5):
        await reached.service.streams.execute(COUNTER, id_, 1)

    async def published() -> bool:
        return sum(reached.service.relay.published.values()) == 10

    await eventually(published)
    await make_again(reached.service.settings, "billing")
    lines = (await reached.said("bus", "restore", "billing")).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"billing/{shard}" for shard in range(4)]
    assert sum(int(line.split()[-2]) for line in lines) == 10
    again = await reached.said("bus", "restore", "billing", "--shard", "2", "--shard", "0")
    assert all(line.endswith(" 0 published.") for line in again.splitlines())
    assert len(again.splitlines()) == 2


REFUSALS = {
    ("views", "rebuild", "counters"): "not SERVICE/VIEW",
    ("views", "rebuild", "billing/unknown"): "There is no view named unknown here.",
    ("views", "rebuild", "moon/counters"): "There is no service 'moon'",
    ("views", "cancel", "billing/counters"): "is not being rebuilt",
    ("parked", "retry", "billing/view:counters:v1"): "Name a stream, or say --all.",
    ("parked", "drop", "billing/unknown", "--all"): "There is no consumer named unknown",
    ("bus", "restore", "moon"): "There is no service 'moon'",
    ("bus", "restore", "billing", "--shard", "9"): "billing has no shard 9.",
    ("replay", "--as-of", "2h"): "--as-of is for a document of a view.",
    ("replay", "moon"): "There is no service 'moon'",
    ("replay", "billing/moon", "--key", "x"): "billing has no view 'moon'.",
    ("replay", "billing", "--since", "billing/1:1"): "a time is wanted here",
}


async def test_what_cannot_be_done_is_a_plain_sentence(reached: Reached) -> None:
    for arguments, sentence in REFUSALS.items():
        result = await reached.run(*arguments)
        assert result.exit_code == 1, arguments
        assert sentence in " ".join(result.stderr.split()), arguments
        assert "Traceback" not in result.output
