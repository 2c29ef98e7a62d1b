"""An ERP as an integrator would write it: plain Kafka and JSON. It imports nothing of Portico, a test makes sure."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

SOURCE = "/lindenau/erp"
POLL_MS = 200
HEARD_LIMIT = 10_000


@dataclass(frozen=True)
class Sent:
    """A message as it lies on the topic."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """An event as it was read: CloudEvents attributes from the headers, data from the value."""

    topic: str
    partition: int
    offset: int
    id: str
    type: str
    sequence: int
    subject: str
    data: dict[str, Any]


class NotHeard(Exception):
    """An event did not come in time."""


class Erp:
    """Writes to one topic, and reads others from the moment on at which it was started."""

    def __init__(self, producer: Any, consumer: Any, inbox: str) -> None:
        self._producer = producer
        self._consumer = consumer
        self._inbox = inbox
        self._heard: list[Heard] = []

    async def send(self, type_: str, contract: str, data: dict[str, Any]) -> Sent:
        """Sends a message about a contract: CloudEvents in binary mode, the contract's number as key."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid.uuid4()),
            "ce_source": SOURCE,
            "ce_type": type_,
            "content-type": "application/json",
        }
        written = await self._producer.send_and_wait(
            self._inbox,
            json.dumps({"contract": contract, **data}).encode(),
            key=contract.encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
        )
        return Sent(self._inbox, written.partition, written.offset, contract, type_, {"contract": contract, **data})

    async def hear(self, type_: str, matches: Callable[[dict[str, Any]], bool], seconds: float) -> Heard:
        """The first event of a type that matches; raises NotHeard after so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            for heard in self._heard:
                if heard.type == type_ and matches(heard.data):
                    return heard
            if asyncio.get_running_loop().time() > deadline or len(self._heard) > HEARD_LIMIT:
                types = sorted({heard.type for heard in self._heard[-50:]})
                raise NotHeard(f"no {type_} within {seconds:.0f} s; what came was {', '.join(types) or 'nothing'}")
            await self._read()

    async def _read(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=500)
        self._heard += [_heard(record) for records in batches.values() for record in records]


@asynccontextmanager
async def connected(servers: str, inbox: str, *outboxes: str) -> AsyncIterator[Erp]:
    """An ERP that sends to `inbox` and hears what comes on `outboxes` from now on."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
    try:
        await producer.start()
        await consumer.start()
        partitions = [
            TopicPartition(outbox, number) for outbox in outboxes for number in await producer.partitions_for(outbox)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        yield Erp(producer, consumer, inbox)
    finally:
        await producer.stop()
        await consumer.stop()


def _heard(record: Any) -> Heard:
    headers = {name: value.decode() for name, value in record.headers}
    return Heard(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        id=headers["ce_id"],
        type=headers["ce_type"],
        sequence=int(headers["ce_sequence"]),
        subject=headers["ce_subject"],
        data=json.loads(record.value),
    )
