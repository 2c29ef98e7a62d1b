"""Feeds customers through the doors that any utility uses: the public import, and the ERP's topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from cli.problem import Problem
from cli.seeding.files import csv_bytes, erp_record
from cli.seeding.generator import CONTACT_COLUMNS, CONTRACT_COLUMNS, Customer
from contracts.erp import ErpMessage

CHUNK_CUSTOMERS = 500
IMPORT_TIMEOUT_SECONDS = 120
ATTEMPTS = 5
RETRY_SECONDS = 1.0
PRODUCE_MS = 30_000
BATCH_BYTES = 256 * 1024
POLL_SECONDS = 0.25
APPLY_SECONDS = 900

Advance = Callable[[str, int], None]


@dataclass(frozen=True)
class Target:
    """Where a Portico is. Without `billing_url` nobody waits for billing."""

    entities_url: str
    billing_url: str | None
    kafka_servers: str
    topic: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Fed:
    """What was fed, and where the last message of each partition stands (the offset after it)."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    messages: int = 0
    ends: dict[int, int] = field(default_factory=dict)


async def feed(target: Target, customers: Iterator[Customer], advance: Advance) -> Fed:
    """Imports and sends chunk by chunk, so that billing works meanwhile. `advance(what, count)` is told of progress.

    Raises Problem when the import or the broker does not answer, or a row is refused.
    """
    fed = Fed()
    async with _client(target) as client, _producer(target) as producer:
        while chunk := list(islice(customers, CHUNK_CUSTOMERS)):
            contracts = [contract for customer in chunk for contract in customer.contracts]
            await _import(client, fed, "contact", CONTACT_COLUMNS, [customer.row for customer in chunk])
            advance("contacts", len(chunk))
            await _import(client, fed, "contract", CONTRACT_COLUMNS, [contract.row for contract in contracts])
            advance("contracts", len(contracts))
            messages = [message for contract in contracts for message in contract.messages]
            await _send(producer, target.topic, fed, messages)
            advance("messages", len(messages))
    return fed


async def applied(target: Target, fed: Fed, advance: Advance) -> None:
    """Waits until billing has taken every message; raises Problem when it does not within `APPLY_SECONDS`."""
    if not target.billing_url:
        return
    done = 0
    deadline = time.monotonic() + APPLY_SECONDS
    async with httpx.AsyncClient(base_url=target.billing_url, headers=target.headers, timeout=10) as client:
        while True:
            missing = await _missing(client, target, fed)
            if fed.messages - missing > done:
                advance("applied", fed.messages - missing - done)
                done = fed.messages - missing
            if not missing:
                return
            if time.monotonic() > deadline:
                raise Problem(f"Billing has not yet taken {missing} messages.", "Look at `portico status`.")
            await asyncio.sleep(POLL_SECONDS)


async def _missing(client: httpx.AsyncClient, target: Target, fed: Fed) -> int:
    """How many of the messages billing has not taken. While it starts anew that cannot be said: all of them."""
    try:
        answer = await client.get("/ops/status")
    except httpx.TransportError:
        return fed.messages
    _refuse(answer, "Billing does not say how far it is")
    positions: dict[int, int] = {
        consumer["partition"]: consumer["position"]
        for consumer in answer.json()["consumers"]
        if consumer["topic"] == target.topic
    }
    missing = sum(max(0, end - positions.get(partition, 0)) for partition, end in fed.ends.items())
    return min(missing, fed.messages)


@asynccontextmanager
async def _client(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=target.entities_url, headers=target.headers, timeout=IMPORT_TIMEOUT_SECONDS
    ) as client:
        yield client


@asynccontextmanager
async def _producer(target: Target) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(
        bootstrap_servers=target.kafka_servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=20,
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=PRODUCE_MS,
    )
    try:
        await producer.start()
        yield producer
    except (KafkaError, OSError) as error:
        raise Problem(
            f"Kafka at {target.kafka_servers} does not take messages for {target.topic}: {error}",
            "Is Portico up? `portico status` shows it.",
        ) from error
    finally:
        await producer.stop()


async def _import(
    client: httpx.AsyncClient, fed: Fed, entity: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    body = csv_bytes(columns, rows)
    answer = await _posted(client, f"/imports/{entity}", body)
    _refuse(answer, f"The import of {entity} records is refused")
    report = answer.json()
    if report["refused"]:
        row = next(row for row in report["rows"] if row["outcome"] == "refused")
        raise Problem(
            f"{report['refused']} {entity} records are refused, the first of them {row['external_id']}: "
            f"{row['reason']['text']['en']}",
            f"All are in the report {client.base_url}/imports/{report['id']}.",
        )
    fed.created += report["created"]
    fed.updated += report["updated"]
    fed.unchanged += report["unchanged"]


async def _posted(client: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
    """Sending an import again is harmless, so a service that starts anew is given some time."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = await client.post(path, content=body, headers={"Content-Type": "text/csv"})
            if answer.status_code < 500 or attempt == ATTEMPTS:
                return answer
        except httpx.TransportError as error:
            if attempt == ATTEMPTS:
                raise Problem(
                    f"Entities at {client.base_url} does not answer: {error or type(error).__name__}.",
                    "Is Portico up? `portico status` shows it.",
                ) from error
        await asyncio.sleep(RETRY_SECONDS * attempt)
    raise AssertionError("the last attempt returns or raises")


async def _send(producer: Any, topic: str, fed: Fed, messages: Sequence[ErpMessage]) -> None:
    pending = []
    for message in messages:
        record = erp_record(message)
        pending.append(await producer.send(topic, record.value, key=record.key, headers=record.headers))
    for sent in await asyncio.gather(*pending):
        fed.ends[sent.partition] = max(fed.ends.get(sent.partition, 0), sent.offset + 1)
    fed.messages += len(messages)


def _refuse(answer: httpx.Response, what: str) -> None:
    """Raises a Problem with what a service says for itself."""
    if answer.is_success:
        return
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:200]
    raise Problem(f"{what} ({answer.status_code}): {detail}")
