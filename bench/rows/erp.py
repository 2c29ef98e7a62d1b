"""The ERP's billing events: from its topic through billing's rules into its log and a view."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

import psycopg
from aiokafka import AIOKafkaProducer

from bench.harness import Contender, Figure, Row, Stopwatch
from bench.processes import service, starting_service
from bench.rows.requests import built, with_contracts
from bench.rows.topics import applied
from bench.scene import Scene, Site
from bench.workload import TODAY, number_of
from chassis.bus import open_producer
from contracts.billing import BillingEventRecorded
from contracts.erp import BillingEvent
from contracts.topics import ERP_IN
from services.billing.billing_events.views import OWED
from services.billing.contracts.views import CONTRACTS

EVENTS_A_CONTRACT = 16
BATCH_BYTES = 256 * 1024
IN_FLIGHT = 4_000
COLUMNS = "shard, sequence, stream, version, type, time, metadata, data"


def _messages(contracts: int, turn: int) -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
    """Billing events in the order in which an import tells them: contract by contract."""
    found = []
    for number in range(contracts):
        for place in range(EVENTS_A_CONTRACT):
            message = BillingEvent(
                contract=number_of(number),
                external_id=f"{number_of(number)}/{turn}/{place}",
                kind="instalment",
                amount_cents=9_500,
                due_on=TODAY - timedelta(days=30 * place),
                paid_on=TODAY - timedelta(days=30 * place) if place else None,
                status="closed" if place else "open",
            )
            headers = {"specversion": "1.0", "id": f"{turn}-{number}-{place}", "source": "bench", "type": message.type}
            encoded = [(f"ce_{name}", value.encode()) for name, value in headers.items()]
            value = message.model_dump_json().encode()
            found.append((message.contract.encode(), value, [*encoded, ("content-type", b"application/json")]))
    return found


async def _send(site: Site, contracts: int, turn: int) -> int:
    messages = _messages(contracts, turn)
    topic = site.shared.topic(ERP_IN.name)
    producer: AIOKafkaProducer
    async with open_producer(site.shared, max_batch_size=BATCH_BYTES) as producer:
        for start in range(0, len(messages), IN_FLIGHT):
            page = messages[start : start + IN_FLIGHT]
            sent = [await producer.send(topic, value, key=key, headers=headers) for key, value, headers in page]
            for acknowledged in sent:
                await acknowledged
    return len(messages)


@asynccontextmanager
async def _erp(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """Each round brings a slice; together they are the import. Their rows are then copied raw."""
    sizes = scene.sizes
    contracts = max(1, sizes.imported // sizes.rounds // EVENTS_A_CONTRACT)
    site = await scene.site("erp")
    url = site.urls["billing"]
    await with_contracts(site, contracts)
    with service(site, "billing", scene.folder):
        await built(site, "billing", CONTRACTS.table, contracts)
    turns, taken = count(), [0]

    async def ours() -> Sequence[float]:
        before = taken[0]
        taken[0] += await _send(site, contracts, next(turns))
        with starting_service(site, "billing", scene.folder):
            return (await applied(site, OWED.consumer, taken[0], before=before),)

    async def raw() -> Sequence[float]:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            cursor = await connection.execute(
                f"SELECT {COLUMNS} FROM events WHERE type = %s LIMIT %s",  # noqa: S608 columns
                (BillingEventRecorded.type, contracts * EVENTS_A_CONTRACT),
            )
            rows = await cursor.fetchall()
            await connection.execute("CREATE TABLE IF NOT EXISTS raw_copy (LIKE events)")
            await connection.commit()
            watch = Stopwatch()
            async with connection.cursor().copy(f"COPY raw_copy ({COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    await copy.write_row(row)
            await connection.commit()
            return (len(rows) / watch.seconds,)

    yield Contender("Portico", ours), Contender("raw COPY of the same rows, one transaction, no index", raw, 0.1)


ROWS = (
    Row(
        "erp",
        "ERP import: topic to log and view",
        f"billing events, {EVENTS_A_CONTRACT} a contract and round; rules, deduplication, log, relay and view",
        (Figure("events", "1/s"),),
        _erp,
    ),
)
