"""Instances of a service share partitions: each has one owner, and whoever goes leaves his to the others."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain

import psycopg
import pytest
from aiokafka import TopicPartition

from chassis.settings import Settings
from chassis.shares import Look, Shares
from chassis.tasks import ended
from chassis.testing import eventually
from tests.chassis.conftest import SHARDS

PARTITIONS = [TopicPartition(topic, number) for topic in ("a.billing", "a.portal") for number in range(SHARDS)]


@pytest.mark.parametrize("instances", range(1, 7))
def test_each_partition_is_one_instances(instances: int) -> None:
    shares = [Look(place, instances, {}).share(PARTITIONS, SHARDS) for place in range(instances)]
    assert sorted(chain(*shares)) == sorted(PARTITIONS)
    assert max(map(len, shares)) <= 2 * -(-SHARDS // instances)


@pytest.fixture
def settings(urls: dict[str, str]) -> Settings:
    return Settings(
        database_url=urls["billing"],
        kafka_servers="127.0.0.1:9",
        master_key=base64.b64encode(b"k" * 32).decode(),
        consumer_session_ms=1_000,
    )


@asynccontextmanager
async def instance(settings: Settings, *consumers: str) -> AsyncIterator[dict[str, Look]]:
    """What an instance with these consumers is told last."""
    shares, told = Shares("billing", settings), dict[str, Look]()
    task = asyncio.create_task(shares.run())
    try:
        with shares.joined(consumers[0], lambda look: told.update({consumers[0]: look})):
            if len(consumers) == 1:
                yield told
            else:
                with shares.joined(consumers[1], lambda look: told.update({consumers[1]: look})):
                    yield told
    finally:
        await ended([task])


def places(*told: dict[str, Look], consumer: str = "view:x:v1") -> list[tuple[int, int]]:
    return sorted((look[consumer].place, look[consumer].instances) for look in told if consumer in look)


async def come(*told: dict[str, Look], wanted: list[tuple[int, int]], consumer: str = "view:x:v1") -> None:
    async def so() -> bool:
        return places(*told, consumer=consumer) == wanted

    await eventually(so)


async def test_instances_share_what_they_both_run(settings: Settings) -> None:
    """One with a newer version of a view has that for itself."""
    async with instance(settings, "view:x:v1", "view:y:v2") as new:
        async with instance(settings, "view:x:v1", "view:y:v1") as old:
            await come(new, old, wanted=[(0, 2), (1, 2)])
            await come(new, wanted=[(0, 1)], consumer="view:y:v2")
            await come(old, wanted=[(0, 1)], consumer="view:y:v1")
        await come(new, wanted=[(0, 1)])


async def test_an_instance_whose_session_dies_comes_back(settings: Settings) -> None:
    async with instance(settings, "view:x:v1") as one, instance(settings, "view:x:v1") as other:
        await come(one, other, wanted=[(0, 2), (1, 2)])
        one.clear()
        other.clear()
        url = settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        await come(one, other, wanted=[(0, 2), (1, 2)])
