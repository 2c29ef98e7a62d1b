"""Messages for contracts that are not known yet: they wait in order, later ones of a contract behind earlier ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from chassis import arrays
from chassis.bus import ForeignRecord
from chassis.database import Pool
from chassis.log import Connection
from services.billing.erp.messages import Message, pack, unpack

MAXIMUM_A_CONTRACT = 1_000
RELEASED_AT_ONCE = 2_000
RELEASED_BYTES = 16 * 1024 * 1024
MAXIMUM_LISTED = 1_000


async def count(connection: Connection, contract_ids: Collection[str]) -> Counter[str]:
    """How many messages wait for each of these contracts."""
    cursor = await connection.execute(
        "SELECT contract_id, count(*) FROM erp_waiting WHERE contract_id = ANY(%b) GROUP BY contract_id",
        (arrays.texts(sorted(contract_ids)),),
        prepare=True,
    )
    return Counter(dict(await cursor.fetchall()))


async def keep(connection: Connection, messages: Sequence[Message]) -> None:
    """Puts messages behind those that wait already."""
    if not messages:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO erp_waiting (contract, contract_id, topic, partition, record_offset, key, value, headers, "
            "timestamp_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [_row(message) for message in messages],
        )


def _row(message: Message) -> tuple[object, ...]:
    record = message.record
    return (
        *(message.content.contract, message.contract_id, record.topic, record.partition, record.offset),
        *(record.key, record.value, pack(record.headers), record.timestamp),
    )


async def release(connection: Connection, partitions: Sequence[int], contracts: str) -> list[ForeignRecord]:
    """Takes out, oldest first, messages of these partitions whose contract is in the table `contracts` by now."""
    statement = sql.SQL(
        "WITH ready AS (SELECT w.id, sum(length(w.value)) OVER (ORDER BY w.id) AS bytes FROM ("
        "SELECT id, value FROM erp_waiting WHERE partition = ANY(%s) "
        "AND EXISTS (SELECT FROM {} c WHERE c.key = contract_id) ORDER BY id LIMIT %s) w) "
        "DELETE FROM erp_waiting USING ready WHERE erp_waiting.id = ready.id "
        "AND (bytes <= %s OR ready.id = (SELECT min(id) FROM ready)) RETURNING erp_waiting.*"
    ).format(sql.Identifier(contracts))
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statement, (list(partitions), RELEASED_AT_ONCE, RELEASED_BYTES))
    return [_record(row) for row in sorted(await cursor.fetchall(), key=lambda row: row["id"])]


def _record(row: dict[str, Any]) -> ForeignRecord:
    return ForeignRecord(
        *(row["topic"], row["partition"], row["record_offset"], row["key"], row["value"]),
        *(unpack(row["headers"]), row["timestamp_ms"]),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contract that is waited for."""

    contract: str
    messages: int
    since: datetime


async def by_contract(pool: Pool) -> list[Waiting]:
    """The contracts that are waited for, the longest first; `MAXIMUM_LISTED` at most."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT contract, count(*), min(since) FROM erp_waiting GROUP BY contract ORDER BY min(id) LIMIT %s",
            (MAXIMUM_LISTED,),
        )
        return [Waiting(*row) for row in await cursor.fetchall()]
