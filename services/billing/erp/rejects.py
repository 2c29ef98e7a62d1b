"""Messages that do not fit: kept with their reason and their original bytes, and handed on to a topic of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from psycopg.rows import dict_row

from chassis.bus import Topics
from chassis.database import Pool
from chassis.log import Connection
from chassis.telemetry import meter
from chassis.texts import Texts
from contracts.common import Language
from services.billing.erp.messages import Misfit, pack, unpack

TOPIC = "erp.rejects"
PUBLISHED_AT_ONCE = 50
POLL_SECONDS = 1.0
MAXIMUM_PUBLISHED_BYTES = 900 * 1024
EXCERPT = 300
KEPT = timedelta(days=90)

counter = meter.create_counter("portico_erp_rejects", description="Messages of the ERP that were rejected")


async def keep(connection: Connection, misfits: Iterable[Misfit]) -> None:
    """Keeps rejected messages in the transaction of the checkpoint; `publish` hands them on."""
    rows = [_row(misfit) for misfit in misfits]
    if rows:
        async with connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO erp_rejects (code, facts, contract, source, message_id, topic, partition, record_offset, "
                "key, value, headers, timestamp_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )


def _row(misfit: Misfit) -> tuple[object, ...]:
    record, identity, refusal = misfit.record, misfit.identity, misfit.refusal
    return (
        *(refusal.code, orjson.dumps(dict(refusal.facts), default=str).decode(), misfit.contract),
        *((identity.source, identity.id) if identity else (None, None)),
        *(record.topic, record.partition, record.offset, record.key, record.value),
        *(pack(record.headers), record.timestamp),
    )


async def publish(pool: Pool, topics: Topics, texts: Texts) -> None:
    """Hands rejected messages on to their topic, each at least once. Runs until cancelled or until it fails."""
    while True:
        if not await publish_some(pool, topics, texts):
            await asyncio.sleep(POLL_SECONDS)


async def publish_some(pool: Pool, topics: Topics, texts: Texts) -> int:
    """Publishes the oldest that are not published yet; returns how many. Several instances do not meet.

    For each, up to two that were published more than `KEPT` ago are forgotten.
    """
    async with pool.connection() as connection, connection.transaction():
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(
            "SELECT * FROM erp_rejects WHERE published_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            (PUBLISHED_AT_ONCE,),
        )
        rows = await cursor.fetchall()
        if not rows:
            return 0
        for row in rows:
            value, headers = published_form(row, texts)
            await topics.publish(TOPIC, row["key"], value, headers)
        ids = [row["id"] for row in rows]
        await connection.execute("UPDATE erp_rejects SET published_at = now() WHERE id = ANY(%s)", (ids,))
        await connection.execute(
            "DELETE FROM erp_rejects WHERE published_at < now() - %s "
            "AND id IN (SELECT id FROM erp_rejects ORDER BY id LIMIT %s)",
            (KEPT, 2 * len(rows)),
        )
    for row in rows:
        counter.add(1, {"code": row["code"]})
    return len(rows)


def published_form(row: dict[str, Any], texts: Texts) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """The original bytes and headers, and headers that say why. Bytes that no topic takes are left out, and said so."""
    origin = {
        "reject_code": row["code"],
        "reject_reason": texts.say(row["code"], "en", facts_of(row)) or row["code"],
        "reject_topic": row["topic"],
        "reject_partition": str(row["partition"]),
        "reject_offset": str(row["record_offset"]),
        "reject_time": row["rejected_at"].isoformat(),
    }
    value: bytes | None = row["value"]
    headers = unpack(row["headers"])
    if len(value or b"") + sum(len(name) + len(raw) for name, raw in headers) > MAXIMUM_PUBLISHED_BYTES:
        value, headers = None, []
        origin["reject_bytes"] = "omitted"
    return value, [*headers, *((name, text.encode()) for name, text in origin.items())]


def facts_of(row: dict[str, Any]) -> dict[str, object]:
    """The facts of a refusal, dates as dates again."""
    return {name: _date_or_same(name, fact) for name, fact in row["facts"].items()}


def _date_or_same(name: str, fact: object) -> object:
    return date.fromisoformat(fact) if name.endswith("_on") and isinstance(fact, str) else fact


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected message as it is listed. `excerpt` is how its value begins, as text."""

    id: int
    code: str
    reason: str
    contract: str | None
    source: str | None
    message_id: str | None
    topic: str
    partition: int
    offset: int
    size: int
    excerpt: str
    rejected_at: datetime
    published_at: datetime | None


async def latest(pool: Pool, texts: Texts, language: Language, before: int | None, limit: int) -> Sequence[Reject]:
    """The newest rejected messages with an id below `before`."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(
            "SELECT id, code, facts, contract, source, message_id, topic, partition, record_offset, rejected_at, "
            "published_at, substring(value FOR %s) AS beginning, coalesce(length(value), 0) AS size FROM erp_rejects "
            "WHERE id < coalesce(%s, 9223372036854775807) ORDER BY id DESC LIMIT %s",
            (EXCERPT, before, limit),
        )
        return [_listed(row, texts, language) for row in await cursor.fetchall()]


def _listed(row: dict[str, Any], texts: Texts, language: Language) -> Reject:
    same = ("id", "code", "contract", "source", "message_id", "topic", "partition", "size")
    return Reject(
        **{name: row[name] for name in same},
        reason=texts.say(row["code"], language, facts_of(row)) or row["code"],
        offset=row["record_offset"],
        excerpt=(row["beginning"] or b"").decode("utf-8", "replace"),
        rejected_at=row["rejected_at"],
        published_at=row["published_at"],
    )
