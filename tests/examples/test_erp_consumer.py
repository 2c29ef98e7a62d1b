"""The ERP of examples/, as a program of its own that knows nothing of Portico's code, holds its conversation."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.testing import eventually
from contracts.base import Event
from contracts.billing import InstalmentConfirmed, InstalmentRefused
from tests.services.billing.conftest import World, plan

PROGRAM = Path(__file__).parents[2] / "examples" / "erp_consumer.py"
SECONDS = 40


@pytest.fixture
async def erp(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = world.service.settings
    told = {"PORTICO_KAFKA_SERVERS": settings.kafka_servers, "PORTICO_TOPIC_PREFIX": settings.topic_prefix}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), stdout=asyncio.subprocess.PIPE, env={**os.environ, **told}
    )
    yield process
    process.kill()
    await process.wait()


async def change(world: World, amount_cents: int) -> tuple[str, str]:
    """A customer asks for another amount; returns the contract's number and id."""
    number, id_ = await world.contract(contact_id="contact-1")
    await world.send(plan(number))
    await world.taken_in()
    answer = await world.client.post(
        f"/contracts/{id_}/instalment-changes",
        json={"amount_cents": amount_cents},
        headers=world.customer("contact-1"),
    )
    assert answer.status_code == 202
    return number, id_


async def decided(world: World, id_: str) -> Event:
    """What follows the change."""

    async def third() -> Event | None:
        return next(iter((await world.history(f"instalments/{id_}"))[2:]), None)

    event = await eventually(third, SECONDS)
    assert event is not None
    return event


async def test_it_confirms_and_refuses(world: World, erp: asyncio.subprocess.Process) -> None:
    number, id_ = await change(world, 9_000)
    assert isinstance(await decided(world, id_), InstalmentConfirmed)
    _, too_much = await change(world, 16_000)
    refused = await decided(world, too_much)
    assert isinstance(refused, InstalmentRefused)
    assert refused.reason == "More than 150.00 EUR"
    assert erp.stdout is not None
    line = await asyncio.wait_for(erp.stdout.readline(), SECONDS)
    assert line.decode().strip() == f"{number}: 10000 -> 9000 cents"


def test_it_is_short_and_stands_alone() -> None:
    source = PROGRAM.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 32
    assert not any(name in source for name in ("import contracts", "from contracts", "chassis", "from services"))
