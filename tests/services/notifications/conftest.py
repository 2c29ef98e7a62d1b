"""Notifications at work on real PostgreSQL, Kafka and mail server; the topics of other services are fed by hand."""

import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from psycopg.rows import dict_row
from pydantic import SecretStr

from chassis.auth import LocalKeys, Principal, Role, generate_key, issue
from chassis.keyring import Sealer
from chassis.log import Append, MemoryLog, NewEvent
from chassis.provision import provision_database
from chassis.service_calls import ServiceCalls
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.topics import ensure_topics
from chassis.views import ViewReader
from contracts.base import Event
from contracts.billing import InstalmentChanged
from contracts.common import Text
from contracts.entities import EntityCreated
from contracts.envelope import Metadata, Record
from contracts.ids import stream
from contracts.portal import InstalmentSettings, PortalConfigured
from services.notifications.app import create
from services.notifications.links import IdentityLinks
from services.notifications.messages.mailer import Mailer
from services.notifications.messages.smtp import Server
from services.notifications.recipients.directory import ViewDirectory
from services.notifications.recipients.people import COLLEAGUES, JOURNEYS, SUBMITTERS, USERS
from services.notifications.recipients.views import CONTRACTS, PORTALS, RECIPIENTS
from services.notifications.wordings.views import WORDINGS, OwnWordings
from tests.services.notifications.mailserver import MailServer, mail_server

KEY = generate_key()
MASTER_KEY = base64.b64encode(b"k" * 32).decode()
SERVICES = ("entities", "billing", "identity", "portal", "journeys", "processes")
PASSWORDS = {"notifications": "notifications-secret", "identity": "identity-secret"}


class Clock:
    """The time that the service sees: the real one, and whatever is added."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Owners:
    """The other services, as far as their topics go: gapless logs, personal fields sealed."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, sealer: Sealer) -> None:
        self._producer = producer
        self._settings = settings
        self._sealer = sealer
        self._logs = {service: MemoryLog(service, settings.shards) for service in SERVICES}

    async def say(self, stream_name: str, *events: Event, metadata: Metadata | None = None) -> list[Record]:
        """Stores and publishes events of one stream."""
        log = self._logs[events[0].service]
        before = (await log.load([stream_name])).get(stream_name, [])
        encoded = await self._sealer.encode(events)
        new = tuple(
            NewEvent(event.type, data, metadata or Metadata()) for event, data in zip(events, encoded, strict=True)
        )
        await log.append(Append(stream_name, len(before), new, datetime.now(UTC)))
        records = (await log.load([stream_name]))[stream_name][len(before) :]
        await self.publish(records)
        return records

    async def publish(self, records: list[Record]) -> None:
        """Sends records, also ones that were sent before."""
        for record in records:
            await self._producer.send_and_wait(
                self._settings.topic(record.position.service),
                record.data,
                record.stream.encode(),
                partition=record.position.shard,
                headers=record.headers(),
            )


class Identity:
    """Identity, as far as links go: it can be away, or find that nobody needs the link."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        calls = ServiceCalls(base64.b64decode(MASTER_KEY))
        assert calls.caller(request.headers["authorization"].removeprefix("Bearer ")) == "notifications"
        self.asked.append(orjson.loads(request.content))
        if self.status != 200:
            return httpx.Response(self.status, json={"code": "no"})
        kind = self.asked[-1]["kind"]
        url = f"https://portal.example.org/{kind}/secret-{len(self.asked)}"
        return httpx.Response(200, json={"url": url, "expires_at": "2099-01-01T00:00:00Z"})


@dataclass
class Notifications:
    """The running service and everything around it."""

    running: RunningService
    mail: MailServer
    owners: Owners
    clock: Clock
    admin_url: str
    identity: Identity = field(default_factory=Identity)
    contacts: int = field(default=0)

    async def customer(self, language: str | None = "de", **personal: Any) -> str:
        """A contact with a contract of the same id; returns the id."""
        self.contacts += 1
        id_ = str(uuid.uuid4())
        values = {"first_name": "Anna", "last_name": f"Nr{self.contacts}", "email": f"{id_}@example.org", **personal}
        facts: dict[str, Any] = {"id": id_, "person": stream("contact", id_)}
        await self.owners.say(
            stream("contact", id_),
            EntityCreated(
                entity="contact",
                external_id=f"K-{id_}",
                attributes={"language": language},
                personal=values,
                relations={},
                **facts,
            ),
        )
        await self.owners.say(
            stream("contract", id_),
            EntityCreated(
                entity="contract",
                external_id=f"V-{self.contacts}",
                attributes={"division": "electricity", "product": "Lindenau Strom Fix"},
                personal={},
                relations={"holder": (id_,)},
                **facts,
            ),
        )
        return id_

    async def change(self, contact_id: str, metadata: Metadata | None = None, **facts: Any) -> list[Record]:
        """The customer asks for another instalment."""
        return await self.owners.say(stream("instalments", contact_id), changed(contact_id, **facts), metadata=metadata)

    def mails_to(self, contact_id: str) -> list[Any]:
        return [mail for mail in self.mail.mails if str(mail["To"]).startswith(contact_id)]

    async def mailed(self, contact_id: str, count: int = 1, seconds: float = 40) -> list[Any]:
        """The mails of a customer, once there are so many."""

        async def enough() -> bool:
            return len(self.mails_to(contact_id)) >= count

        await eventually(enough, seconds)
        return self.mails_to(contact_id)

    async def rows(self, contact_id: str) -> list[dict[str, Any]]:
        """The rows of a customer's messages, by time."""
        async with await psycopg.AsyncConnection.connect(self.admin_url, row_factory=dict_row) as connection:
            select = "SELECT * FROM notifications.messages WHERE contract_id = %s ORDER BY created_at"
            return await (await connection.execute(select, (contact_id,))).fetchall()

    async def row(self, contract_id: str, /, seconds: float = 40, **expected: Any) -> dict[str, Any]:
        """The only message of a customer, once it is as expected."""

        async def fits() -> dict[str, Any] | None:
            rows = await self.rows(contract_id)
            assert len(rows) <= 1
            return rows[0] if rows and all(rows[0][name] == value for name, value in expected.items()) else None

        found = await eventually(fits, seconds)
        assert found
        return found

    async def recipient(self, contact_id: str, **expected: Any) -> None:
        """Returns once the service knows this of a contact."""
        reader = ViewReader(RECIPIENTS, self.running.service.pool)

        async def known() -> bool:
            found = await reader.get(contact_id)
            return found is not None and all(getattr(found, name) == value for name, value in expected.items())

        await eventually(known, 40)

    def mailer(self) -> Mailer:
        """Another mailer beside the service's own."""
        service = self.running.service
        pool = service.pool
        directory = ViewDirectory(
            recipients=ViewReader(RECIPIENTS, pool),
            contracts=ViewReader(CONTRACTS, pool),
            portals=ViewReader(PORTALS, pool),
            users=ViewReader(USERS, pool),
            staff=ViewReader(COLLEAGUES, pool),
            submitters=ViewReader(SUBMITTERS, pool),
            journeys=ViewReader(JOURNEYS, pool),
        )
        return Mailer(
            pool,
            service.streams,
            directory=directory,
            wordings=OwnWordings(ViewReader(WORDINGS, pool)),
            links=IdentityLinks("http://identity", ServiceCalls(b"k" * 32), self.identity.transport),
            server=Server.parse(self.mail.url),
            mail_from="portal@example.org",
            recorded=service.relay.wake,
        )

    async def settled(self, contact_id: str) -> list[Event]:
        """The events of a customer's messages."""
        rows = await self.rows(contact_id)
        streams = self.running.service.streams
        return [envelope.event for row in rows for envelope in await streams.history(stream("message", row["id"]))]

    async def headers(self, role: Role, subject: str = "") -> dict[str, str]:
        signed = issue(KEY, Principal(role, subject or f"{role}-1").claims(), timedelta(minutes=30))
        return {"Authorization": f"Bearer {signed}"}


def changed(contact_id: str | None, contract_id: str | None = None, **facts: Any) -> InstalmentChanged:
    known: dict[str, Any] = {
        "contract_id": contract_id or contact_id,
        "contract_number": "V-0",
        "contact_id": contact_id,
        "change_id": str(uuid.uuid4()),
        "from_cents": 9200,
        "amount_cents": 7800,
        "currency": "EUR",
        "effective_from": date(2027, 1, 1),
        "changed_on": date(2026, 11, 21),
        "portal_id": "customers",
    }
    return InstalmentChanged(**{**known, **facts})


PORTAL = PortalConfigured(
    portal_id="customers",
    audience="customer",
    name=Text(de="Mein Lindenau", en="My Lindenau"),
    url="https://portal.example.org",
    instalments=InstalmentSettings(),
)


@asynccontextmanager
async def notifications_on(settings: Settings, mail: MailServer, admin_url: str) -> AsyncIterator[Notifications]:
    """The service at work with this mail server."""
    clock, identity = Clock(), Identity()
    smtp_url = SecretStr(f"{mail.url}?timeout_seconds=1.5")
    settings = settings.model_copy(update={"smtp_url": smtp_url, "identity_url": "http://identity"})
    start = partial(create, keys=LocalKeys([KEY]), clock=clock, identity=identity.transport)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_servers, acks="all")
    await producer.start()
    try:
        async with running(start, settings) as service:
            owners = Owners(producer, settings, service.service.sealer)
            await owners.say("portal/customers", PORTAL)
            yield Notifications(service, mail, owners, clock, admin_url, identity)
    finally:
        await producer.stop()


@pytest.fixture(scope="module")
async def notifications_of_module(database: str, kafka_servers: str) -> AsyncIterator[Notifications]:
    settings = Settings(
        database_url=provision_database(database, PASSWORDS, 4)["notifications"],
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}",
        master_key=MASTER_KEY,
    )
    await ensure_topics(settings)
    async with mail_server() as mail, notifications_on(settings, mail, database) as notifications:
        yield notifications


@pytest.fixture
async def notifications(notifications_of_module: Notifications) -> AsyncIterator[Notifications]:
    """As if just started: the right time, and a mail server that takes everything."""
    yield notifications_of_module
    notifications_of_module.clock.ahead = timedelta()
    notifications_of_module.identity.status = 200
    await notifications_of_module.mail.mend()
    await notifications_of_module.running.service.pool.check()
