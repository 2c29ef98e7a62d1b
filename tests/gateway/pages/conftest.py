"""The world that staff work in, and a clerk who looks at it."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.pages.staff_data import desk
from tests.gateway.world import STAFF, Browser, World, member, visiting


@pytest.fixture
def world() -> World:
    return desk()


@pytest.fixture
async def clerk(world: World) -> AsyncIterator[Browser]:
    async with visiting(world, STAFF, member()) as browser:
        yield browser
