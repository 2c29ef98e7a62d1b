"""What only the event log in PostgreSQL promises: transactions, grouping, separation of services."""

import asyncio
import uuid
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from chassis.log import Appended, CommandKey
from chassis.postgres_log import PostgresLog
from tests.chassis.test_log import append, everything, stream


@pytest.fixture
async def log(pool: AsyncConnectionPool[Any]) -> PostgresLog:
    return await PostgresLog.connect("billing", pool)


async def test_a_rolled_back_append_leaves_no_gap(log: PostgresLog, pool: AsyncConnectionPool[Any]) -> None:
    names = [stream() for _ in range(8)]
    async with pool.connection() as connection, connection.transaction(force_rollback=True):
        await log.append_all([append(name, 0, b"lost") for name in names], connection)
    assert await log.load(names) == {}
    await asyncio.gather(*(log.append(append(name, 0, b"kept")) for name in names))
    for shard, head in (await log.heads()).items():
        assert await everything(log, shard) == list(range(1, head + 1))


async def test_a_transaction_sees_what_it_has_appended(log: PostgresLog, pool: AsyncConnectionPool[Any]) -> None:
    """A batch of commands is applied in parts when something in it fails, all of them in one transaction."""
    name = stream()
    async with pool.connection() as connection, connection.transaction():
        await log.append_all([append(name, 0, b"first")], connection)
        assert [record.version for record in (await log.load([name], connection))[name]] == [1]
        assert await log.load([name]) == {}
        (second,) = await log.append_all([append(name, 1, b"second")], connection)
    assert isinstance(second, Appended)
    assert len((await log.load([name]))[name]) == 2


async def test_readers_never_see_a_gap_while_writers_commit_and_roll_back(
    log: PostgresLog, pool: AsyncConnectionPool[Any]
) -> None:
    start = await log.heads()
    seen: dict[int, list[int]] = {shard: [] for shard in range(log.shards)}
    writing = True

    async def read() -> None:
        found, quiet = 1, False
        while found or not quiet:
            quiet = not writing
            found = 0
            for shard, sequences in seen.items():
                new = await everything(log, shard, start[shard] + len(sequences))
                sequences.extend(new)
                found += len(new)

    async def write(number: int) -> None:
        for turn in range(15):
            async with pool.connection() as connection:
                try:
                    async with connection.transaction():
                        await log.append_all([append(stream(), 0, b"1"), append(stream(), 0, b"2")], connection)
                        await asyncio.sleep(0)
                        if (number + turn) % 3 == 0:
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    continue

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(number) for number in range(8)))
    writing = False
    await asyncio.wait_for(reader, 30)
    assert sum(map(len, seen.values())) == 8 * 10 * 2
    for shard, sequences in seen.items():
        assert sequences == list(range(start[shard] + 1, start[shard] + len(sequences) + 1))


async def test_concurrent_commands_of_one_shard_share_a_call(log: PostgresLog, pool: AsyncConnectionPool[Any]) -> None:
    before = await transactions(pool)
    await asyncio.gather(*(log.append(append(stream(), 0, b"1")) for _ in range(400)))
    assert await transactions(pool) - before < 100


async def transactions(pool: AsyncConnectionPool[Any]) -> int:
    """The transaction ids handed out so far: every one that wrote took one."""
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT pg_current_xact_id()::text::bigint")).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_same_key_at_the_same_time_works_once(log: PostgresLog) -> None:
    name, key = stream(), CommandKey(uuid.uuid4().hex, "f")
    results = await asyncio.gather(*(log.append(append(name, 0, b"1", key=key)) for _ in range(10)))
    assert sum(isinstance(result, Appended) for result in results) == 1
    assert len((await log.load([name]))[name]) == 1


async def test_people_can_read_events_as_json(log: PostgresLog, pool: AsyncConnectionPool[Any]) -> None:
    name = stream()
    await log.append(append(name, 0, b'{"amount_cents": 7800}'))
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT data->>'amount_cents' FROM readable_events WHERE stream = %s", (name,)
        )
        assert await cursor.fetchone() == ("7800",)


async def test_a_service_cannot_read_another_services_tables(urls: dict[str, str]) -> None:
    async with await psycopg.AsyncConnection.connect(urls["portal"], autocommit=True) as portal:
        for table in ("billing.events", "billing.commands", "identity.events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await portal.execute(f"SELECT * FROM {table}")  # noqa: S608
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await portal.execute("UPDATE keyring.keys SET wrapped = NULL")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await portal.execute("SET ROLE portico_billing")
