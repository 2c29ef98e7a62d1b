"""Logs to test: in memory, and in PostgreSQL behind the same port."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from chassis.database import open_pool
from chassis.log import EventLog, MemoryLog
from chassis.postgres_log import PostgresLog
from chassis.provision import provision_database

PASSWORDS = {"billing": "billing-secret", "identity": "identity-secret", "portal": "portal-secret"}
SHARDS = 4


@pytest.fixture(scope="module")
def urls(database: str) -> dict[str, str]:
    """The URL of each service's role in a database that is provisioned."""
    return provision_database(database, PASSWORDS, SHARDS)


@pytest.fixture
async def pool(urls: dict[str, str]) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with open_pool(urls["billing"], connections=16) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
async def log(request: pytest.FixtureRequest, urls: dict[str, str]) -> AsyncIterator[EventLog]:
    if request.param == "memory":
        yield MemoryLog("billing", SHARDS)
        return
    async with open_pool(urls["billing"], connections=16) as pool:
        yield await PostgresLog.connect("billing", pool)
