"""Identity with everybody around it: entities and the portal speak, a gateway asks, mails bring links, time moves."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from chassis.log import Append, MemoryLog, NewEvent
from chassis.service import Service
from chassis.service_calls import ServiceCalls
from chassis.testing import RunningService, eventually
from contracts.base import Event
from contracts.common import Text
from contracts.entities import ContactMade, ContactRefused, EntityChanged, EntityCreated, SchemaPublished
from contracts.envelope import Metadata
from contracts.identity import ContactWanted
from contracts.ids import record_id, stream
from contracts.portal import InstalmentSettings, PortalConfigured, Registration
from services.identity.access.erasures import FollowErasures
from services.identity.addresses import normalised
from services.identity.contacts.reactions import SETTLED_AFTER

SHARDS = 4
PASSWORD = "ein ganz langer Satz als Passwort"
OTHER_PASSWORD = "noch ein langer Satz als Passwort"
LABELS = {
    "customer_number": {"label": {"de": "Kundennummer", "en": "Customer number"}},
    **{name: {} for name in ("first_name", "last_name", "email", "phone", "language")},
}


class MovingClock:
    """The time, which tests move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """Everybody around identity."""

    identity: RunningService
    producer: AIOKafkaProducer
    clock: MovingClock
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    logs: dict[str, MemoryLog] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.identity.service

    @property
    def client(self) -> httpx.AsyncClient:
        return self.identity.client

    async def as_(self, role: str) -> dict[str, str]:
        if role not in self.tokens:
            answered = await self.client.post("/development/token", json={"role": role, "subject": f"staff/{role}"})
            self.tokens[role] = {"Authorization": f"Bearer {answered.json()['access_token']}"}
        return self.tokens[role]

    async def ask(self, method: str, path: str, body: Any = None, role: str = "gateway", **more: Any) -> httpx.Response:
        headers = {**await self.as_(role), **more.pop("headers", {})}
        return await self.client.request(method, path, json=body, headers=headers, **more)

    async def post(self, path: str, body: Any = None, role: str = "gateway", **more: Any) -> httpx.Response:
        return await self.ask("POST", path, {} if body is None else body, role, **more)

    async def say(self, name: str, *events: Event) -> None:
        """Another service publishes events of a stream."""
        log = self.logs.setdefault(events[0].service, MemoryLog(events[0].service, SHARDS))
        before = len((await log.load([name])).get(name, ()))
        encoded = await self.service.sealer.encode(events)
        new = tuple(NewEvent(event.type, data, Metadata()) for event, data in zip(events, encoded, strict=True))
        await log.append(Append(name, before, new, self.clock()))
        for record in (await log.load([name]))[name][before:]:
            await self.producer.send_and_wait(
                self.service.settings.topic(log.service),
                record.data,
                key=name.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )

    async def portal(self, portal_id: str = "customers", **registration: Any) -> str:
        """A portal is configured; returns its id once identity knows it."""
        configured = PortalConfigured(
            portal_id=portal_id,
            audience="customer",
            name=Text(de="Mein Lindenau", en="My Lindenau"),
            url="https://portal.example.org/",
            instalments=InstalmentSettings(),
            registration=Registration(**registration),
        )
        await self.say(stream("portal", portal_id), configured)
        await self.say(
            "schema/contact", SchemaPublished(entity="contact", schema_version=1, definition={"attributes": LABELS})
        )
        await self.until("SELECT FROM view_portals_v1 WHERE key = %s", portal_id)
        await self.until("SELECT FROM view_labels_v1 WHERE key = 'contact'")
        return portal_id

    async def contact(self, number: str | None = None, **personal: Any) -> str:
        """Entities tells of a contact; returns its id once identity knows it, and would look for its user at once."""
        number = number or f"K-{uuid.uuid4().hex[:8]}"
        id_ = record_id("contact", number)
        created = EntityCreated(
            entity="contact",
            id=id_,
            external_id=number,
            person=f"contact/{id_}",
            attributes={"customer_number": number, "language": "de"},
            personal=personal,
            relations={},
        )
        await self.say(stream("contact", id_), created)
        await self.until("SELECT FROM view_known_records_v1 WHERE key = %s", stream("contact", id_))
        self.clock.ahead += SETTLED_AFTER
        return id_

    async def number_of(self, contact_id: str) -> str:
        """A contact's customer number."""
        key = stream("contact", contact_id)
        rows = await self.rows("SELECT doc->>'external_id' FROM view_known_records_v1 WHERE key = %s", key)
        return str(rows[0][0])

    async def change_contact(self, contact_id: str, **personal: Any) -> None:
        changed = EntityChanged(
            entity="contact",
            id=contact_id,
            external_id=None,
            person=f"contact/{contact_id}",
            attributes={},
            personal=personal,
        )
        await self.say(stream("contact", contact_id), changed)

    async def make_contact(
        self, user_id: str, body: Any, answer: Callable[[ContactWanted], ContactMade | ContactRefused]
    ) -> tuple[httpx.Response, ContactWanted]:
        """Staff make a contact of a user, and entities answers while they wait."""
        before = len(await self.history(user_id))
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(self.post(f"/users/{user_id}/contact", body, "staff"))
            wanted = await self.wanted(user_id, before)
            await self.say(stream("contact", wanted.contact_id), answer(wanted))
        return asked.result(), wanted

    async def wanted(self, user_id: str, before: int = 0) -> ContactWanted:
        """Waits until a contact of the user is wanted; `before` are events that were there already."""

        async def found() -> list[ContactWanted]:
            return [event for event in (await self.history(user_id))[before:] if isinstance(event, ContactWanted)]

        return (await eventually(found))[0]

    async def contract(self, number: str, holder: str) -> None:
        id_ = record_id("contract", number)
        created = EntityCreated(
            entity="contract",
            id=id_,
            external_id=number,
            person=f"contact/{holder}",
            attributes={"number": number},
            personal={},
            relations={"holder": (holder,)},
        )
        await self.say(stream("contract", id_), created)
        await self.until("SELECT FROM view_known_records_v1 WHERE key = %s", stream("contract", id_))

    async def register(self, email: str, portal_id: str = "customers", **more: Any) -> str:
        """Somebody registers; returns the user's id."""
        body = {"email": email, "password": PASSWORD, "already_customer": True, **more}
        answered = await self.post(f"/portals/{portal_id}/registrations", body)
        assert answered.status_code == 202, answered.text
        await self.wishes_done()
        found = await self.rows(
            "SELECT user_id FROM users WHERE (portal_id, email) = (%s, %s)", portal_id, normalised(email)
        )
        return str(found[0][0])

    async def link(self, kind: str, user_id: str, portal_id: str = "customers") -> str:
        """The token of a link, as it stands in a mail."""
        answered = await self.mail_link({"kind": kind, "user_id": user_id, "portal_id": portal_id})
        assert answered.status_code == 200, answered.text
        return str(answered.json()["url"]).rsplit("/", 1)[1]

    async def mail_link(self, body: Any, service: str = "notifications") -> httpx.Response:
        token = ServiceCalls(self.service.settings.master_key_bytes).token(service)
        return await self.client.post("/links", json=body, headers={"Authorization": f"Bearer {token}"})

    async def activated(self, email: str, portal_id: str = "customers", **more: Any) -> str:
        """A user who has confirmed his address."""
        user_id = await self.register(email, portal_id, **more)
        answered = await self.post("/activations", {"token": await self.link("activation", user_id, portal_id)})
        assert answered.status_code == 200, answered.text
        return user_id

    async def sign_in(self, email: str, password: str = PASSWORD, portal_id: str = "customers") -> httpx.Response:
        return await self.post(f"/portals/{portal_id}/sessions", {"email": email, "password": password})

    async def session(self, email: str, password: str = PASSWORD) -> str:
        answered = await self.sign_in(email, password)
        assert answered.status_code == 200, answered.text
        return str(answered.json()["session"])

    async def token(self, session: str) -> httpx.Response:
        return await self.post("/sessions/token", {"session": session})

    async def assigned(self, user_id: str) -> str:
        """Waits until the user belongs to a contact; returns its id."""
        rows = await self.until("SELECT contact_id FROM users WHERE user_id = %s AND contact_id IS NOT NULL", user_id)
        return str(rows[0][0])

    async def refusal_of(self, user_id: str) -> str:
        """Waits until the table of users tells why no contact could be made of a user."""
        path = "SELECT doc->'row'->>'contact_refusal' FROM view_user_rows_v2 WHERE key = %s"
        rows = await self.until(f"{path} AND doc->'row'->>'contact_refusal' IS NOT NULL", user_id)
        return str(rows[0][0])

    async def wishes_done(self) -> None:
        async def done() -> bool:
            return not await self.rows("SELECT FROM wishes")

        await eventually(done)

    async def matched(self) -> None:
        """Waits until no address is left to be looked at."""

        async def done() -> bool:
            return not await self.rows("SELECT FROM matching")

        await eventually(done)

    async def follows(self, user_id: str) -> None:
        """Waits until erasures are followed as far as the events of a user."""
        position = (await self.service.streams.history(stream("users", user_id)))[-1].position
        (consumer,) = (each for each in self.service.consumers if each.source.name == FollowErasures.name)
        topic = self.service.settings.topic(position.service)
        assert await consumer.checkpoints.wait(topic, position.shard, position.sequence)

    async def history(self, user_id: str) -> list[Event]:
        return [envelope.event for envelope in await self.service.streams.history(stream("users", user_id))]

    async def happened(self, user_id: str) -> list[str]:
        return [type(event).__name__ for event in await self.history(user_id)]

    async def rows(self, statement: str, *parameters: object) -> list[Any]:
        async with self.service.pool.connection() as connection:
            found: list[Any] = await (await connection.execute(statement, parameters)).fetchall()
        return found

    async def until(self, statement: str, *parameters: object) -> list[Any]:
        """Waits until a query finds something."""
        return await eventually(lambda: self.rows(statement, *parameters))


def made(wanted: ContactWanted) -> ContactMade:
    return ContactMade(user_id=wanted.user_id, portal_id=wanted.portal_id, contact_id=wanted.contact_id)


def refused(wanted: ContactWanted, code: str, attribute: str | None) -> ContactRefused:
    return ContactRefused(
        user_id=wanted.user_id,
        portal_id=wanted.portal_id,
        contact_id=wanted.contact_id,
        code=code,
        attribute=attribute,
    )


def address() -> str:
    """Nobody has it yet."""
    return f"{uuid.uuid4().hex[:10]}@example.org"


def refusal(answered: httpx.Response, status: int) -> str:
    assert answered.status_code == status, answered.text
    return str(answered.json()["code"])
