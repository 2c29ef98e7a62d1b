"""Processes at work on real PostgreSQL and Kafka; the topics of other services are fed by hand."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from chassis.auth import LocalKeys, Principal, Role, generate_key, issue
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.entities import EntityCreated
from contracts.envelope import Metadata, Record
from contracts.ids import stream
from contracts.journeys import Effect, JourneySubmitted, RecordRef, TaskRef
from services.processes.app import create
from tests.services.processes.plans import DOCUMENT, NOW

KEY = generate_key()
SHARDS = 4


@dataclass
class Processes:
    """The running service, what other services say, and tokens of everybody."""

    running: RunningService
    producer: AIOKafkaProducer
    logs: dict[str, MemoryLog] = field(default_factory=dict)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.running.client

    async def say(self, name: str, *events: Event) -> list[Record]:
        """Publishes events of a stream of another service."""
        log = self.logs.setdefault(events[0].service, MemoryLog(events[0].service, SHARDS))
        before = len((await log.load([name])).get(name, ()))
        encoded = await self.running.service.sealer.encode(events)
        new = tuple(NewEvent(event.type, data, Metadata()) for event, data in zip(events, encoded, strict=True))
        await log.append(Append(name, before, new, NOW))
        records = (await log.load([name]))[name][before:]
        await self.publish(records)
        return records

    async def publish(self, records: list[Record]) -> None:
        for record in records:
            await self.producer.send_and_wait(
                self.running.service.settings.topic(record.position.service),
                record.data,
                key=record.stream.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )

    async def contract(self, installer: str | None = None, **personal: Any) -> tuple[str, str]:
        """A customer with a contract; returns contact and contract."""
        contact, contract = str(uuid.uuid4()), str(uuid.uuid4())
        await self.say(stream("contact", contact), created("contact", contact, contact, {"last_name": "Anna"}))
        relations = {"holder": (contact,), **({"installer": (installer,)} if installer else {})}
        records = await self.say(
            stream("contract", contract), created("contract", contract, contact, personal, relations)
        )
        await self.ask("staff", "GET", "/instances", position=str(records[-1].position))
        return contact, contract

    async def define(self, **changes: Any) -> str:
        """A process of its own; returns its id."""
        process = f"p-{uuid.uuid4().hex[:8]}"
        document = {**DOCUMENT, **changes, "process": process}
        answered = await self.ask("operator", "PUT", f"/definitions/{process}", json=document)
        assert answered.status_code == 200, answered.text
        return process

    async def start(self, process: str, contract: str) -> str:
        async def started() -> httpx.Response | None:
            body = {"process": process, "record": {"entity": "contract", "id": contract}, "portal_id": "customers"}
            answered = await self.ask("staff", "POST", "/instances", json=body)
            return answered if answered.status_code == 201 else None

        answered = await eventually(started)
        assert answered is not None
        return str(answered.json()["instance_id"])

    async def submit(
        self, contact: str | None, *effects: Effect, task: TaskRef | None = None, **facts: Any
    ) -> list[Record]:
        """A journey is submitted."""
        id_ = facts.get("submission_id", str(uuid.uuid4()))
        given: dict[str, Any] = {
            "submission_id": id_,
            "reference": "7K3F-9QXM",
            "journey_id": "upload_proof" if task else "cancellation",
            "journey_version": 1,
            "portal_id": "customers",
            "language": "de",
            "user_id": "u-1",
            "contact_id": contact,
            "context": None,
            "action": None,
            "task": task,
            "person": stream("contact", contact) if contact else stream("submission", id_),
            "answers": {"reason": "moving"},
            "mapped": {},
            "email": None,
            "files": (),
            "effects": effects,
        }
        return await self.say(stream("submission", id_), JourneySubmitted(**{**given, **facts}))

    async def of_record(self, contract: str, count: int = 1) -> list[dict[str, Any]]:
        """The processes of a record, once there are so many."""

        async def enough() -> list[dict[str, Any]] | None:
            items = (await self.ask("staff", "GET", f"/instances?record={contract}")).json()["items"]
            return items if len(items) >= count else None

        found = await eventually(enough)
        assert found
        return found

    async def ask(
        self, role: Role, method: str, path: str, contact: str | None = None, position: str = "", **more: Any
    ) -> httpx.Response:
        portal = "customers" if role in {"customer", "installer"} else None
        principal = Principal(role, f"{role}/{contact or 1}", contact, portal)
        token = issue(KEY, principal.claims(), timedelta(minutes=30))
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        headers |= {"Portico-Position": position} if position else {}
        return await self.client.request(method, path, headers=headers, **more)


def created(
    entity: str, id_: str, person: str, personal: dict[str, Any], relations: dict[str, Any] | None = None
) -> EntityCreated:
    return EntityCreated(
        entity=entity,
        id=id_,
        external_id=id_,
        person=stream("contact", person),
        attributes={"status": "active"},
        personal=personal,
        relations=relations or {},
    )


def contract_of(id_: str) -> RecordRef:
    return RecordRef(entity="contract", id=id_)


@pytest.fixture(scope="module")
async def processes(database: str, kafka_servers: str) -> AsyncIterator[Processes]:
    settings = Settings(
        database_url=provision_database(database, {"processes": "processes-secret"}, SHARDS)["processes"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{os.urandom(6).hex()}",
        master_key=base64.b64encode(os.urandom(32)).decode(),
        identity_url="http://127.0.0.1:9",
        shards=SHARDS,
        development=True,
    )
    await ensure_topics(settings)
    start = partial(create, keys=LocalKeys([KEY]), clock=lambda: NOW)
    async with (
        running(start, settings) as service,
        AIOKafkaProducer(bootstrap_servers=settings.kafka_servers) as producer,
    ):
        yield Processes(service, producer)
