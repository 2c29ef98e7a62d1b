"""Journeys at work on real PostgreSQL and Kafka: the other services speak on their topics, files go to a folder."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from joserfc.jwk import OKPKey

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.database import open_pool
from chassis.keyring import PostgresKeyring
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.tickets import Ticket, Tickets
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.common import Text
from contracts.entities import EntityChanged, EntityCreated
from contracts.envelope import Metadata
from contracts.identity import PersonErased
from contracts.ids import stream
from contracts.journeys import RecordRef, TaskRef
from contracts.portal import Action, InstalmentSettings, PortalConfigured
from contracts.processes import Audiences, ContactAssignee, ProcessStarted, StepPlan, TaskAssigned, TaskDone
from services.journeys.app import create
from tests.services.journeys.documents import document

SHARDS = 4
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PORTAL = "customers"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj << >> endobj\n" * 20
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)
CANCEL = Action.model_validate(
    {
        "id": "cancel",
        "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
        "journey": "cancellation",
        "place": "contract",
        "when": [{"contract.status": {"is": "active"}}],
    }
)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """Everybody around journeys."""

    journeys: RunningService
    producer: AIOKafkaProducer
    key: OKPKey
    clock: Clock
    files: Path
    keyring: PostgresKeyring
    logs: dict[str, MemoryLog] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.journeys.service

    @property
    def client(self) -> httpx.AsyncClient:
        return self.journeys.client

    def as_(self, principal: Principal, language: str = "en", **headers: str) -> dict[str, str]:
        token = issue(self.key, principal.claims(), timedelta(hours=1))
        return {"Authorization": f"Bearer {token}", "Accept-Language": language, **headers}

    def customer(self, contact_id: str, language: str = "en") -> dict[str, str]:
        return self.as_(Principal("customer", f"user/of-{contact_id}", contact_id, PORTAL), language)

    def gateway(self, secret: str | None = None, language: str = "en") -> dict[str, str]:
        secrets = {"Portico-Draft": secret} if secret else {}
        return self.as_(Principal("gateway", "web"), language, **secrets)

    @property
    def staff(self) -> dict[str, str]:
        return self.as_(Principal("staff", "staff/sam"))

    def ticket(self, contact_id: str, contract_id: str | None = None, **told: Any) -> str:
        """What the portal issues for an action, or for a task when `task` is given."""
        context = RecordRef(entity="contract", id=contract_id) if contract_id else None
        ticket = Ticket(
            **{
                "subject": f"user/of-{contact_id}",
                "portal_id": PORTAL,
                "journey_id": "cancellation",
                "contact_id": contact_id,
                "action": None if "task" in told else "cancel",
                "context": context,
                **told,
            }
        )
        return Tickets(self.service.settings.master_key_bytes).issue(ticket)

    async def publish(self, name_or_body: str | dict[str, Any]) -> httpx.Response:
        """Staff publish a journey, and the list of journeys shows it."""
        body = document(name_or_body) if isinstance(name_or_body, str) else name_or_body
        answer = await self.client.put(f"/journeys/{body['journey']}", json=body, headers=self.staff)
        assert answer.status_code == 200, answer.text
        seen = {"Portico-Position": answer.headers["Portico-Position"]}
        listed = await self.client.get("/journeys", headers={**self.staff, **seen})
        assert listed.headers["Portico-Position-Reached"] == "true"
        return answer

    async def say(self, name: str, *events: Event) -> str:
        """Another service publishes events of a stream; returns the position of the last, for `Portico-Position`."""
        log = self.logs.setdefault(events[0].service, MemoryLog(events[0].service, SHARDS))
        before = len((await log.load([name])).get(name, ()))
        encoded = await self.service.sealer.encode(events)
        new = tuple(NewEvent(event.type, data, Metadata()) for event, data in zip(events, encoded, strict=True))
        await log.append(Append(name, before, new, NOW))
        records = (await log.load([name]))[name][before:]
        for record in records:
            await self.producer.send_and_wait(
                self.service.settings.topic(log.service),
                record.data,
                key=name.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )
        return str(records[-1].position)

    async def contract(self, status: str = "active") -> tuple[str, str]:
        """A contact with a contract; returns their ids once journeys knows them."""
        contact_id, contract_id = uuid.uuid4().hex, uuid.uuid4().hex
        contact = EntityCreated(
            entity="contact",
            id=contact_id,
            external_id=None,
            person=f"contact/{contact_id}",
            attributes={"customer_number": "K-1"},
            personal={"last_name": "Sommer"},
            relations={},
        )
        contract = contact.model_copy(
            update={
                "entity": "contract",
                "id": contract_id,
                "attributes": {"status": status},
                "personal": {},
                "relations": {"holder": (contact_id,)},
            }
        )
        await self.say(stream("contact", contact_id), contact)
        await self.known(await self.say(stream("contract", contract_id), contract))
        return contact_id, contract_id

    async def change(self, contract_id: str, **attributes: Any) -> None:
        """Entities tells of new attributes of a contract."""
        changed = EntityChanged(
            entity="contract", id=contract_id, external_id=None, person=None, attributes=attributes, personal={}
        )
        await self.known(await self.say(stream("contract", contract_id), changed))

    async def known(self, position: str) -> None:
        """Waits until conditions and rules are asked of views that have a position."""
        headers = {**self.gateway(), "Portico-Position": position}
        answer = await self.client.get(f"/submissions/{'0' * 32}", headers=headers)
        assert answer.headers["Portico-Position-Reached"] == "true"

    async def portal(self, *actions: Action, enabled: bool = True) -> None:
        """The portal is configured."""
        configured = PortalConfigured(
            portal_id=PORTAL,
            audience="customer",
            name=Text(de="Mein Lindenau", en="My Lindenau"),
            url="https://portal.example",
            instalments=InstalmentSettings(),
            enabled=enabled,
            actions=actions,
        )
        await self.known(await self.say(stream("portal", PORTAL), configured))

    async def task(self, contact_id: str, contract_id: str, journey: str = "upload_proof") -> TaskRef:
        """A process has a task for a contact."""
        instance_id = uuid.uuid4().hex
        facts: dict[str, Any] = {
            "instance_id": instance_id,
            "process_id": "cancellation",
            "record": RecordRef(entity="contract", id=contract_id),
        }
        title = Text(de="Nachweis einreichen", en="Send proof")
        plan = StepPlan(
            id="proof",
            title=title,
            description=None,
            info=Audiences(),
            shown_to=("customer",),
            journey=journey,
            done_on="confirm",
        )
        started = ProcessStarted(
            **facts,
            process_version=1,
            title=title,
            steps=(plan,),
            contact_id=contact_id,
            portal_id=PORTAL,
            submission_id=None,
            effect=None,
        )
        assigned = TaskAssigned(
            **facts,
            step_id="proof",
            assignee=ContactAssignee(role="customer", contact_id=contact_id),
            title=title,
            info=Audiences(),
            journey=journey,
            done_on="confirm",
            due_on=None,
            contact_id=contact_id,
            portal_id=PORTAL,
        )
        await self.known(await self.say(stream("process", instance_id), started, assigned))
        return TaskRef(instance_id=instance_id, step_id="proof")

    async def task_done(self, task: TaskRef, contact_id: str, contract_id: str) -> None:
        done = TaskDone(
            instance_id=task.instance_id,
            process_id="cancellation",
            record=RecordRef(entity="contract", id=contract_id),
            step_id=task.step_id,
            assignee=ContactAssignee(role="customer", contact_id=contact_id),
            title=Text(de="Nachweis einreichen", en="Send proof"),
            submission_id=None,
            contact_id=contact_id,
            portal_id=PORTAL,
        )
        await self.known(await self.say(stream("process", task.instance_id), done))

    async def begin(self, contact_id: str, contract_id: str | None = None, language: str = "en", **told: Any) -> str:
        """The customer begins with a ticket; returns the submission's id."""
        body = {"ticket": self.ticket(contact_id, contract_id, **told), "language": language}
        answer = await self.client.post("/submissions", json=body, headers=self.customer(contact_id))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["submission_id"])

    async def answer(self, id_: str, step: str, headers: dict[str, str], **answers: Any) -> httpx.Response:
        return await self.client.put(f"/submissions/{id_}/steps/{step}", json={"answers": answers}, headers=headers)

    async def send(
        self,
        id_: str,
        headers: dict[str, str],
        content: bytes = PDF,
        name: str = "Nachweis Ä.pdf",
        *,
        upload_id: str | None = None,
        field_name: str = "proof",
    ) -> httpx.Response:
        """A file goes to a submission."""
        form = {"field": field_name, "upload_id": upload_id or uuid.uuid4().hex}
        files = {"file": (name, content, "application/octet-stream")}
        return await self.client.post(f"/submissions/{id_}/files", data=form, files=files, headers=headers)

    async def history(self, submission_id: str) -> list[Event]:
        return [each.event for each in await self.service.streams.history(stream("submission", submission_id))]

    async def erase(self, person: str) -> None:
        """Identity destroys a person's key and says so."""
        await self.keyring.erase(person)
        await self.say(stream("person", person), PersonErased(person=person, reason="asked for it"))

    async def rows(self, statement: str, *parameters: object) -> list[Any]:
        async with self.service.pool.connection() as connection:
            found: list[Any] = await (await connection.execute(statement, parameters)).fetchall()
        return found


@pytest.fixture(scope="module")
def urls(database: str) -> dict[str, str]:
    """Of the databases of journeys, and of identity, who alone may erase."""
    return provision_database(database, {"journeys": "journeys-secret", "identity": "identity-secret"}, SHARDS)


@pytest.fixture(scope="module")
def settings(urls: dict[str, str], kafka_servers: str, temporary_folder: Path) -> Settings:
    return Settings(
        database_url=urls["journeys"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{os.urandom(6).hex()}",
        master_key=base64.b64encode(os.urandom(32)).decode(),
        identity_url="http://127.0.0.1:9",
        shards=SHARDS,
        objects_url=(temporary_folder / "objects").as_uri(),
    )


@pytest.fixture(scope="module")
async def world(settings: Settings, urls: dict[str, str], temporary_folder: Path) -> AsyncIterator[World]:
    """Journeys with its documents published, and a portal that offers the cancellation of active contracts."""
    key, clock = generate_key(), Clock()
    await ensure_topics(settings)
    async with (
        running(partial(create, keys=LocalKeys([key]), clock=clock), settings) as service,
        open_pool(urls["identity"], 4) as pool,
        AIOKafkaProducer(bootstrap_servers=settings.kafka_servers) as producer,
    ):
        keyring = PostgresKeyring(pool, settings.master_key_bytes)
        world = World(service, producer, key, clock, temporary_folder / "objects", keyring)
        for name in ("cancellation", "upload_proof", "contact_us"):
            await world.publish(name)
        await world.portal(CANCEL)
        yield world


__all__ = ["CANCEL", "NOW", "PDF", "PNG", "PORTAL", "World", "eventually"]
