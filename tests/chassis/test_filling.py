"""A table that is filled in memory has what one folded event by event has, wherever its stretches end."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition

from chassis import filling
from chassis.checkpoints import Checkpoints, Fenced
from chassis.database import Pool
from chassis.filling import Filling
from chassis.keyring import PostgresKeyring, Sealer
from chassis.log import Append, NewEvent
from chassis.postgres_log import PostgresLog
from chassis.views import View, ViewHandler
from contracts.envelope import Envelope, Metadata
from contracts.ids import stream_id
from tests.chassis.events import Counter, Increased

STREAMS = 40
EVENTS = 400
LAST = 0
"""An increase by nothing ends a counter."""


def fold(counter: Counter | None, envelope: Envelope) -> Counter | None:
    assert isinstance(envelope.event, Increased)
    if envelope.event.by == LAST:
        return None
    before = counter or Counter()
    return Counter(total=before.total + envelope.event.by, events=before.events + 1)


def view(key: Callable[[Envelope], str | None]) -> View[Counter]:
    return View(f"filled_{uuid.uuid4().hex[:8]}", 1, Counter, (Increased,), key, fold)


async def filled_log(pool: Pool, by: tuple[int, ...]) -> tuple[PostgresLog, str]:
    """Some more events of streams of one kind; others that are there already belong to other kinds."""
    log, kind = await PostgresLog.connect("billing", pool), f"k{uuid.uuid4().hex[:8]}"
    chance, versions = random.Random(1), dict.fromkeys(range(STREAMS), 0)
    for _ in range(EVENTS):
        number = chance.randrange(STREAMS)
        event = NewEvent(Increased.type, Increased(by=chance.choice(by)).model_dump_json().encode(), Metadata())
        await log.append(Append(f"{kind}/{number}", versions[number], (event,), datetime.now(UTC)))
        versions[number] += 1
    return log, kind


async def whole(log: PostgresLog, sealer: Sealer, wanted: View[Counter]) -> dict[str, Counter]:
    documents: dict[str, Counter | None] = {}
    for shard in range(log.shards):
        for record in await log.read(shard, 0, 100_000):
            documents |= wanted.fold(documents, await sealer.open([record]))
    return {key: document for key, document in documents.items() if document is not None}


async def shown(pool: Pool, wanted: View[Counter]) -> dict[str, Counter]:
    async with pool.connection() as connection:
        rows = await (await connection.execute(f"SELECT key, doc::text FROM {wanted.table}")).fetchall()  # noqa: S608
    return {key: Counter.model_validate_json(doc) for key, doc in rows}


async def fill(pool: Pool, log: PostgresLog, sealer: Sealer, wanted: View[Counter]) -> None:
    handler = ViewHandler(wanted)
    async with pool.connection() as connection:
        await handler.prepare(connection)
    checkpoints = Checkpoints(handler.name, pool)
    for shard in range(log.shards):
        partition = TopicPartition("portico.billing", shard)
        there = await Filling(log, sealer, pool, handler).shard(partition, await checkpoints.claim(*partition))
        stored = await checkpoints.stored()
        assert there.sequence == (await log.heads())[shard] == stored[partition].sequence


@pytest.mark.parametrize("documents", [1, 3, 10_000])
async def test_it_is_what_a_fold_gives(pool: Pool, monkeypatch: pytest.MonkeyPatch, documents: int) -> None:
    monkeypatch.setattr(filling, "MAXIMUM_DOCUMENTS", documents)
    monkeypatch.setattr(filling, "PAGE", 7)
    sealer = Sealer(PostgresKeyring(pool, b"k" * 32))
    log, kind = await filled_log(pool, (LAST, 1, 2, 3))
    own = view(lambda envelope: stream_id(envelope.stream) if envelope.stream.startswith(kind) else None)
    await fill(pool, log, sealer, own)
    assert await shown(pool, own) == await whole(log, sealer, own)
    assert 0 < len(await shown(pool, own)) < STREAMS


async def test_a_document_of_several_shards_goes_on_in_the_next(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "PAGE", 7)
    sealer = Sealer(PostgresKeyring(pool, b"k" * 32))
    log, kind = await filled_log(pool, (1, 2))
    shared = view(lambda envelope: "all" if envelope.stream.startswith(kind) else None)
    await fill(pool, log, sealer, shared)
    (document,) = (await shown(pool, shared)).values()
    assert document == (await whole(log, sealer, shared))["all"]
    assert document.events == EVENTS


async def test_another_instance_fences_it(pool: Pool) -> None:
    sealer = Sealer(PostgresKeyring(pool, b"k" * 32))
    log, kind = await filled_log(pool, (1,))
    own = view(lambda envelope: stream_id(envelope.stream) if envelope.stream.startswith(kind) else None)
    handler = ViewHandler(own)
    async with pool.connection() as connection:
        await handler.prepare(connection)
    checkpoints = Checkpoints(handler.name, pool)
    claim = await checkpoints.claim("portico.billing", 0)
    await checkpoints.claim("portico.billing", 0)
    with pytest.raises(Fenced):
        await Filling(log, sealer, pool, handler).shard(TopicPartition("portico.billing", 0), claim)
    assert not await shown(pool, own)
