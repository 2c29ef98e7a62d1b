"""The portal service at work, other services' events on their topics, and tokens of everybody who may knock."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from joserfc.jwk import OKPKey

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import RunningService, running
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.envelope import Metadata
from contracts.ids import Position
from services.portal.app import create
from tests.services.portal.documents import DOCUMENTS, PUBLISHED
from tests.services.portal.events import NOW

SHARDS = 4
HOUR = timedelta(hours=1)


@dataclass
class Elsewhere:
    """The other services: what they have said, in their own logs, goes to their topics."""

    portal: RunningService
    producer: AIOKafkaProducer
    logs: dict[str, MemoryLog] = field(default_factory=dict)

    async def say(self, stream: str, *events: Event) -> Position:
        """Publishes events of a stream; returns where the last one stands."""
        settings = self.portal.service.settings
        log = self.logs.setdefault(events[0].service, MemoryLog(events[0].service, SHARDS))
        before = len((await log.load([stream])).get(stream, ()))
        encoded = await self.portal.service.sealer.encode(events)
        new = tuple(NewEvent(event.type, data, Metadata()) for event, data in zip(events, encoded, strict=True))
        await log.append(Append(stream, before, new, NOW))
        records = (await log.load([stream]))[stream]
        for record in records[before:]:
            await self.producer.send_and_wait(
                settings.topic(log.service),
                record.data,
                key=stream.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )
        return records[-1].position


@pytest.fixture(scope="module")
def signing_key() -> OKPKey:
    return generate_key()


@pytest.fixture(scope="module")
def settings(database: str, kafka_servers: str) -> Settings:
    passwords = {"portal": "portal-secret"}
    return Settings(
        database_url=provision_database(database, passwords, SHARDS)["portal"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{os.urandom(6).hex()}",
        master_key=base64.b64encode(os.urandom(32)).decode(),
        identity_url="http://127.0.0.1:9",
        shards=SHARDS,
    )


@pytest.fixture(scope="module")
async def portal(settings: Settings, signing_key: OKPKey) -> AsyncIterator[RunningService]:
    """Its clock stands still."""
    await ensure_topics(settings)
    async with running(partial(create, keys=LocalKeys([signing_key]), clock=lambda: NOW), settings) as service:
        yield service


@pytest.fixture(scope="module")
async def elsewhere(portal: RunningService, users: Users) -> AsyncIterator[Elsewhere]:
    """With schemas, journeys and the portals that most tests are in."""
    async with AIOKafkaProducer(bootstrap_servers=portal.service.settings.kafka_servers) as producer:
        others = Elsewhere(portal, producer)
        positions = [await others.say(name, event) for name, event in PUBLISHED.items()]
        for portal_id, document in DOCUMENTS.items():
            path, headers = f"/portals/{portal_id}", users.role("operator")
            configured = await portal.client.put(path, json=document, headers=headers)
            assert configured.status_code == 200, configured.text
            positions.append(Position.parse(configured.headers["Portico-Position"]))
        await reached(portal, *positions)
        yield others


async def reached(portal: RunningService, *positions: Position) -> None:
    """Waits until every view has come to these positions."""
    for position in positions:
        topic = portal.service.settings.topic(position.service)
        for consumer in portal.service.consumers:
            if position.service in consumer.source.topics:
                assert await consumer.checkpoints.wait(topic, position.shard, position.sequence)


@dataclass(frozen=True)
class Users:
    """Headers of those who call."""

    key: OKPKey

    def header(self, principal: Principal, lifetime: timedelta = HOUR) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(self.key, principal.claims(), lifetime)}"}

    def customer(self, contact_id: str | None, portal_id: str = "customers") -> dict[str, str]:
        return self.header(Principal("customer", f"user/of-{contact_id}", contact_id, portal_id))

    def installer(self, contact_id: str | None) -> dict[str, str]:
        return self.header(Principal("installer", f"user/of-{contact_id}", contact_id, "installers"))

    def role(self, role: str) -> dict[str, str]:
        return self.header(Principal(role, f"some-{role}"))  # type: ignore[arg-type]  # tests name roles as texts


@pytest.fixture(scope="module")
def users(signing_key: OKPKey) -> Users:
    return Users(signing_key)


@pytest.fixture(scope="module")
def client(portal: RunningService) -> httpx.AsyncClient:
    return portal.client
