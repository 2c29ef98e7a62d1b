"""Billing at work on real PostgreSQL and Kafka: the ERP writes to its topic, the other services to theirs."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from joserfc.jwk import OKPKey

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.entities import EntityCreated
from contracts.envelope import Metadata
from contracts.erp import BillingEvent, ErpMessage, InstalmentPlan
from contracts.ids import record_id, stream
from services.billing.app import create

SHARDS = 4
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DUES = (date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1))


@dataclass
class World:
    """Everybody around billing."""

    billing: RunningService
    producer: AIOKafkaProducer
    key: OKPKey
    logs: dict[str, MemoryLog] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.billing.service

    @property
    def client(self) -> httpx.AsyncClient:
        return self.billing.client

    def as_(self, principal: Principal) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(self.key, principal.claims(), timedelta(hours=1))}"}

    def customer(self, contact_id: str) -> dict[str, str]:
        return self.as_(Principal("customer", f"user-of-{contact_id}", contact_id, "customers"))

    @property
    def erp(self) -> dict[str, str]:
        return self.as_(Principal("erp", "sap"))

    async def say(self, name: str, *events: Event) -> None:
        """Another service publishes events of a stream."""
        log = self.logs.setdefault(events[0].service, MemoryLog(events[0].service, SHARDS))
        before = len((await log.load([name])).get(name, ()))
        encoded = await self.service.sealer.encode(events)
        new = tuple(NewEvent(event.type, data, Metadata()) for event, data in zip(events, encoded, strict=True))
        await log.append(Append(name, before, new, NOW))
        for record in (await log.load([name]))[name][before:]:
            await self.producer.send_and_wait(
                self.service.settings.topic(log.service),
                record.data,
                key=name.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )

    async def contract(self, number: str | None = None, contact_id: str | None = None) -> tuple[str, str]:
        """Entities tells of a contract; returns its number and id once billing knows it."""
        number = number or uuid.uuid4().hex[:8]
        id_ = record_id("contract", number)
        await self.say(
            stream("contract", id_),
            EntityCreated(
                entity="contract",
                id=id_,
                external_id=number,
                person=None,
                attributes={"division": "electricity"},
                personal={},
                relations={"holder": (contact_id,)} if contact_id else {},
            ),
        )

        async def known() -> bool:
            return bool(await self.rows("SELECT FROM view_contracts_v1 WHERE key = %s", id_))

        await eventually(known)
        return number, id_

    async def send(self, message: ErpMessage, id_: str | None = None, **headers: str) -> str:
        """The ERP writes a message in binary mode; returns its id."""
        id_ = id_ or uuid.uuid4().hex
        named = {"ce_specversion": "1.0", "ce_id": id_, "ce_source": "/sap", "ce_type": message.type, **headers}
        await self.raw(message.contract.encode(), message.model_dump_json().encode(), named)
        return id_

    async def raw(self, key: bytes | None, value: bytes | None, headers: dict[str, str]) -> None:
        """Anybody writes anything to the ERP's topic."""
        encoded = [(name, text.encode()) for name, text in headers.items()]
        await self.producer.send_and_wait(self.service.settings.topic("erp.in"), value, key=key, headers=encoded)

    async def taken_in(self) -> None:
        """Waits until billing has read all that was sent to the ERP's topic."""
        topic = self.service.settings.topic("erp.in")
        async with AIOKafkaConsumer(bootstrap_servers=self.service.settings.kafka_servers) as consumer:
            ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(SHARDS)])

        async def read() -> bool:
            rows = await self.rows("SELECT partition, next_offset FROM checkpoints WHERE consumer = 'erp.in'")
            offsets = dict(rows)
            return all(offsets.get(partition.partition, 0) >= end for partition, end in ends.items())

        await eventually(read, 20)

    async def history(self, name: str) -> list[Event]:
        return [envelope.event for envelope in await self.service.streams.history(name)]

    async def rows(self, statement: str, *parameters: object) -> list[Any]:
        async with self.service.pool.connection() as connection:
            found: list[Any] = await (await connection.execute(statement, parameters)).fetchall()
        return found


def plan(number: str, amount_cents: int = 10_000) -> InstalmentPlan:
    schedule = [{"due_on": due.isoformat(), "amount_cents": amount_cents} for due in DUES]
    told = {"contract": number, "amount_cents": amount_cents, "valid_from": "2026-01-01", "schedule": schedule}
    return InstalmentPlan.model_validate_json(json.dumps(told))


def bill(number: str, external_id: str = "B-1", **other: Any) -> BillingEvent:
    told = {"contract": number, "external_id": external_id, "kind": "instalment", "amount_cents": 10_000}
    return BillingEvent.model_validate({**told, "due_on": date(2026, 3, 1), **other})


@pytest.fixture(scope="module")
def settings(database: str, kafka_servers: str) -> Settings:
    return Settings(
        database_url=provision_database(database, {"billing": "billing-secret"}, SHARDS)["billing"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{os.urandom(6).hex()}",
        master_key=base64.b64encode(os.urandom(32)).decode(),
        identity_url="http://127.0.0.1:9",
        shards=SHARDS,
    )


@pytest.fixture(scope="module")
async def world(settings: Settings) -> AsyncIterator[World]:
    """Billing's clock stands still."""
    key = generate_key()
    await ensure_topics(settings)
    billing = partial(create, keys=LocalKeys([key]), clock=lambda: NOW)
    async with (
        running(billing, settings) as service,
        AIOKafkaProducer(bootstrap_servers=settings.kafka_servers) as producer,
    ):
        yield World(service, producer, key)
