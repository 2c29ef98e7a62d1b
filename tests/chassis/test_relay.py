"""Relays of one service share its shards, and take over what another leaves."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from chassis.database import open_pool
from chassis.postgres_log import PostgresLog
from chassis.provision import provision_database
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.topics import ensure_topics
from tests.chassis.test_log import append, stream

SHARDS = 4


@pytest.fixture
async def settings(fresh_database: str, kafka_servers: str, topic_prefix: str) -> Settings:
    settings = Settings(
        database_url=provision_database(fresh_database, {"billing": "billing-secret"}, SHARDS)["billing"],
        kafka_servers=kafka_servers,
        topic_prefix=topic_prefix,
        master_key=base64.b64encode(os.urandom(32)).decode(),
    )
    await ensure_topics(settings)
    return settings


@asynccontextmanager
async def relaying(log: PostgresLog, settings: Settings) -> AsyncIterator[Relay]:
    relay = Relay(log, settings)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_shards_are_shared_and_taken_over(settings: Settings) -> None:
    async with open_pool(settings.database_url.get_secret_value(), 12) as pool:
        log = await PostgresLog.connect("billing", pool)
        async with relaying(log, settings) as first:

            async def leads_all() -> bool:
                return len(first.published) == SHARDS

            await eventually(leads_all)
            async with relaying(log, settings) as second:

                async def shared() -> bool:
                    return len(first.published) == len(second.published) == SHARDS // 2

                await eventually(shared, 15)
                assert not first.published.keys() & second.published.keys()
                await asyncio.gather(*(log.append(append(stream(), 0, b"{}")) for _ in range(200)))
                heads = await log.heads()

                async def all_published() -> bool:
                    return first.published | second.published == heads

                await eventually(all_published)
            await eventually(leads_all, 15)
            assert first.published == heads
