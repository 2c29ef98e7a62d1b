"""Where consumers stand: in memory for those who wait, and in the database, which has the last word."""

import uuid
from typing import Any

import pytest
from aiokafka import TopicPartition
from psycopg_pool import AsyncConnectionPool

from chassis.checkpoints import Checkpoint, Checkpoints, Fenced, Moved

HERE = TopicPartition("billing", 1)


@pytest.fixture
def checkpoints(pool: AsyncConnectionPool[Any]) -> Checkpoints:
    return Checkpoints(f"view:{uuid.uuid4().hex}", pool)


async def move(pool: AsyncConnectionPool[Any], checkpoints: Checkpoints, claim: Checkpoint, sequence: int) -> None:
    """Applies up to a sequence, as a batch does."""
    async with pool.connection() as connection, connection.transaction():
        await checkpoints.begin(connection, {HERE: claim}, False, [])
        await checkpoints.save(connection, {HERE: claim.moved(sequence, sequence)})


async def test_a_position_is_reached_when_it_is_committed_here(checkpoints: Checkpoints) -> None:
    assert not await checkpoints.wait(*HERE, 1, seconds=0.05)
    await checkpoints.committed({HERE: Checkpoint(1, 1, 1)})
    assert await checkpoints.wait(*HERE, 1, seconds=0.05)


async def test_a_position_is_reached_when_another_instance_has_committed_it(
    pool: AsyncConnectionPool[Any], checkpoints: Checkpoints
) -> None:
    other = Checkpoints(checkpoints.consumer, pool)
    await move(pool, other, await other.claim(*HERE), 5)
    assert await checkpoints.wait(*HERE, 5, seconds=1)


async def test_what_the_database_forgot_is_not_reached_any_more(
    pool: AsyncConnectionPool[Any], checkpoints: Checkpoints
) -> None:
    claim = await checkpoints.claim(*HERE)
    await move(pool, checkpoints, claim, 5)
    await checkpoints.committed({HERE: claim.moved(9, 9)})
    assert await checkpoints.wait(*HERE, 9, seconds=0.05)
    assert await checkpoints.stored() == {HERE: claim.moved(5, 5)}
    assert await checkpoints.wait(*HERE, 5, seconds=0.05)
    assert not await checkpoints.wait(*HERE, 6, seconds=0.05)


async def test_whoever_claims_a_partition_fences_the_one_before(
    pool: AsyncConnectionPool[Any], checkpoints: Checkpoints
) -> None:
    before = await checkpoints.claim(*HERE)
    now = await checkpoints.claim(*HERE)
    with pytest.raises(Fenced):
        await move(pool, checkpoints, before, 1)
    await move(pool, checkpoints, now, 1)
    with pytest.raises(Moved):
        await move(pool, checkpoints, now, 2)
    assert await checkpoints.stored() == {HERE: now.moved(1, 1)}


async def test_what_passed_is_not_in_the_database_until_it_moves(
    pool: AsyncConnectionPool[Any], checkpoints: Checkpoints
) -> None:
    claim = (await checkpoints.claim(*HERE)).passed(3, 3).passed(5, 5)
    assert (claim.sequence, claim.saved) == (5, 0)
    await move(pool, checkpoints, claim, 6)
    assert await checkpoints.stored() == {HERE: claim.moved(6, 6)}
    assert claim.moved(6, 6).saved == 6
