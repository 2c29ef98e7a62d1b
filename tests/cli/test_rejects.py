"""`portico rejects` against billing at work, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from chassis.auth import Principal
from chassis.testing import eventually
from cli.main import app
from tests.services.billing.conftest import World, plan, settings, world

__all__ = ["settings", "world"]


@pytest.fixture
async def billing_url(world: World) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(world.service.http, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


async def run(world: World, url: str, *arguments: str) -> Result:
    token = world.as_(Principal("operator", "op"))["Authorization"].removeprefix("Bearer ")
    environment = {"PORTICO_BILLING_URL": url, "PORTICO_TOKEN": token, "COLUMNS": "300"}
    return await asyncio.to_thread(CliRunner().invoke, app, ["rejects", *arguments], env=environment)


async def test_rejects_are_listed(world: World, billing_url: str) -> None:
    nothing = await run(world, billing_url)
    assert (nothing.exit_code, nothing.stdout.strip()) == (0, "Nothing was rejected.")
    for number in range(3):
        await world.raw(f"K-{number}".encode(), b"{", {"ce_id": "x"})
    await world.send(plan("never-known"))
    await world.taken_in()
    table = await run(world, billing_url)
    assert table.exit_code == 0
    assert "message_incomplete" in table.stdout
    assert "K-2" in table.stdout
    assert "Waiting for contracts that are not known yet: 1 (never-known)" in table.stdout
    told = json.loads((await run(world, billing_url, "--json", "--limit", "2", "--language", "de")).stdout)
    assert [item["contract"] for item in told["rejects"]] == ["K-2", "K-1"]
    assert told["rejects"][0]["reason"].startswith("Als CloudEvent fehlt der Nachricht:")
    assert told["waiting"][0]["messages"] == 1


async def test_a_billing_that_does_not_answer_is_a_plain_sentence(world: World) -> None:
    answer = await run(world, "http://127.0.0.1:9")
    assert answer.exit_code == 1
    assert "Billing does not answer" in answer.stderr
