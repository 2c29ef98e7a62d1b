"""Entities at work on real PostgreSQL and Kafka, with tokens that the tests sign themselves."""

import base64
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer

from chassis.auth import LocalKeys, Principal, Role, generate_key, issue
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import RunningService, running
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.envelope import Metadata
from services.entities.app import create

Token = Callable[[Role], dict[str, str]]
KEY = generate_key()


@pytest.fixture(scope="session")
def token() -> Token:
    """Headers of a request in a role."""

    def headers(role: Role) -> dict[str, str]:
        signed = issue(KEY, Principal(role, f"{role}-1").claims(), timedelta(minutes=30))
        return {"Authorization": f"Bearer {signed}"}

    return headers


@pytest.fixture(scope="module")
async def entities(database: str, kafka_servers: str, module_topic_prefix: str) -> AsyncIterator[RunningService]:
    urls = provision_database(database, {"entities": "entities-secret", "identity": "identity-secret"}, 4)
    settings = Settings(
        database_url=urls["entities"],
        kafka_servers=kafka_servers,
        topic_prefix=module_topic_prefix,
        master_key=base64.b64encode(b"k" * 32).decode(),
    )
    await ensure_topics(settings)
    async with running(partial(create, keys=LocalKeys([KEY])), settings) as service:
        yield service


class Others:
    """The other services, as far as entities hears of them."""

    def __init__(self, entities: RunningService, producer: AIOKafkaProducer) -> None:
        self._service = entities.service
        self._producer = producer
        self._logs: dict[str, MemoryLog] = {}

    async def say(self, name: str, *events: Event, actor: str | None = None) -> str:
        """Another service publishes events of a stream; returns the position of the last one."""
        log = self._logs.setdefault(events[0].service, MemoryLog(events[0].service, 4))
        before = len((await log.load([name])).get(name, ()))
        encoded = await self._service.sealer.encode(events)
        new = tuple(
            NewEvent(event.type, data, Metadata(actor=actor)) for event, data in zip(events, encoded, strict=True)
        )
        await log.append(Append(name, before, new, datetime.now(UTC)))
        records = (await log.load([name]))[name]
        for record in records[before:]:
            topic = self._service.settings.topic(log.service)
            partition, headers = record.position.shard, record.headers()
            await self._producer.send_and_wait(
                topic, record.data, key=name.encode(), partition=partition, headers=headers
            )
        return str(records[-1].position)


@pytest.fixture(scope="module")
async def others(entities: RunningService) -> AsyncIterator[Others]:
    async with AIOKafkaProducer(bootstrap_servers=entities.service.settings.kafka_servers) as producer:
        yield Others(entities, producer)


def headers_of(principal: Principal) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(KEY, principal.claims(), timedelta(minutes=30))}"}


@pytest.fixture(scope="module")
def module_topic_prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"
