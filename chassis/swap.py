"""The moment at which a rebuilt table takes the live one's place: one transaction, for all instances at once."""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import sql

from chassis.database import Pool
from chassis.log import Connection
from chassis.views import ViewHandler

LOCK_MS = 300
NEAR_EVENTS = 2_000
CATCH_UP_SECONDS = 2.0
POLL_SECONDS = 0.01

BEHIND = """
SELECT coalesce(sum(greatest(live.sequence - built.sequence, 0)), 0)::bigint,
       count(*) FILTER (WHERE built.sequence IS NULL)
FROM checkpoints live
LEFT JOIN checkpoints built ON (built.consumer, built.topic, built.partition) = (%s, live.topic, live.partition)
WHERE live.consumer = %s
"""
TAKE_OVER = """
INSERT INTO checkpoints (consumer, topic, partition, sequence, next_offset)
SELECT %s, topic, partition, sequence, next_offset FROM checkpoints WHERE consumer = %s
ON CONFLICT (consumer, topic, partition)
DO UPDATE SET sequence = EXCLUDED.sequence, next_offset = EXCLUDED.next_offset
"""


async def swap(pool: Pool, rebuild: int, live: ViewHandler[Any], built: ViewHandler[Any]) -> bool:
    """Puts the built table in the place of the live one as soon as it has everything that the live one has.

    Live updates wait meanwhile for at most CATCH_UP_SECONDS, and reads for the locks that renaming takes. False: it is
    not that far, or the rebuild is over. Raises LockNotAvailable when somebody holds the table for more than LOCK_MS.
    """
    async with pool.connection() as connection:
        behind, missing = await _behind(connection, live, built)
    if missing or behind > NEAR_EVENTS:
        return False
    async with pool.connection() as connection, connection.transaction():
        return await _swap(connection, rebuild, live, built)


async def remove(connection: Connection, handler: ViewHandler[Any]) -> None:
    """Drops a table that nobody reads, with its checkpoints and parked records."""
    await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(handler.table)))
    await connection.execute("DELETE FROM checkpoints WHERE consumer = %s", (handler.name,))
    await connection.execute("DELETE FROM parked WHERE consumer = %s", (handler.name,))


async def _swap(connection: Connection, rebuild: int, live: ViewHandler[Any], built: ViewHandler[Any]) -> bool:
    await connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_MS}ms",))
    cursor = await connection.execute(
        "SELECT FROM rebuilds WHERE id = %s AND ended_at IS NULL FOR UPDATE SKIP LOCKED", (rebuild,)
    )
    if await cursor.fetchone() is None:
        return False
    await _lock(connection, live.name)
    if not await _catches_up(connection, live, built):
        return False
    await _lock(connection, built.name)
    await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(live.table)))
    await _rename(connection, "TABLE", built.table, live.table)
    for index in live.view.indexes:
        await _rename(connection, "INDEX", f"{built.table}_{index}", f"{live.table}_{index}")
    await connection.execute(TAKE_OVER, (live.name, built.name))
    await connection.execute("DELETE FROM checkpoints WHERE consumer = %s", (built.name,))
    await connection.execute("DELETE FROM parked WHERE consumer = %s", (live.name,))
    await connection.execute("UPDATE parked SET consumer = %s WHERE consumer = %s", (live.name, built.name))
    await connection.execute(
        "UPDATE rebuilds SET ended_at = clock_timestamp(), outcome = 'swapped' WHERE id = %s", (rebuild,)
    )
    return True


async def _lock(connection: Connection, consumer: str) -> None:
    """Whoever applies a batch of this consumer waits from now on."""
    await connection.execute(
        "SELECT FROM checkpoints WHERE consumer = %s ORDER BY topic, partition FOR UPDATE", (consumer,)
    )


async def _catches_up(connection: Connection, live: ViewHandler[Any], built: ViewHandler[Any]) -> bool:
    deadline = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
    while await _behind(connection, live, built) != (0, 0):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


async def _behind(connection: Connection, live: ViewHandler[Any], built: ViewHandler[Any]) -> tuple[int, int]:
    """How many events the built table lacks, and in how many partitions its consumer has not begun."""
    row = await (await connection.execute(BEHIND, (built.name, live.name))).fetchone()
    assert row is not None  # noqa: S101 an aggregate always has a row
    return int(row[0]), int(row[1])


async def _rename(connection: Connection, kind: str, name: str, wanted: str) -> None:
    statement = sql.SQL("ALTER {} {} RENAME TO {}")
    await connection.execute(statement.format(sql.SQL(kind), sql.Identifier(name), sql.Identifier(wanted)))
