"""Kafka as Portico uses it: records as they came, and a producer that waits until all replicas have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from chassis.settings import Settings
from chassis.topics import TopicSettings

Headers = Sequence[tuple[str, bytes]]
SEND_SECONDS = 30
REQUEST_MS = 20_000
MAXIMUM_REQUEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ForeignRecord:
    """A Kafka record as it came, whoever wrote it. `headers` keep their order; times are milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


@asynccontextmanager
async def open_producer(settings: TopicSettings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer with acks=all."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_servers,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=REQUEST_MS,
        max_request_size=MAXIMUM_REQUEST_BYTES,
        **options,
    )
    async with asyncio.timeout(SEND_SECONDS):
        await producer.start()
    try:
        yield producer
    finally:
        async with asyncio.timeout(SEND_SECONDS):
            await producer.stop()


class Topics:
    """Publishes to topics that carry no log of ours, such as `erp.in` and `erp.rejects`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Publishing works inside this block."""
        async with open_producer(self._settings) as self._producer:
            yield

    async def publish(self, name: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Returns when all in-sync replicas have the record; raises when they have not after a while."""
        if self._producer is None:
            raise RuntimeError("publishing needs a started service")
        topic = self._settings.topic(name)
        async with asyncio.timeout(SEND_SECONDS):
            await self._producer.send_and_wait(topic, value, key=key, headers=list(headers))
