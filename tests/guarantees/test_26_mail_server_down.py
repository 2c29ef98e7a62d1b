"""A mail server that is slow or down keeps mails waiting and nothing else; a killed mailer forgets none."""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from chassis.database import open_pool
from chassis.failpoints import Point
from chassis.keyring import PostgresKeyring, Sealer
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.topics import ensure_topics
from services.notifications.messages.mailer import LANES
from tests.guarantees.harness import World
from tests.guarantees.plan import Plan
from tests.guarantees.program import CLOCK_SECONDS
from tests.services.notifications.conftest import PASSWORDS, PORTAL, Notifications, Owners, notifications_on
from tests.services.notifications.mailserver import mail_server

CUSTOMERS = 20
ANSWERED_SECONDS = 1.0


@pytest.fixture
async def settings(fresh_database: str, kafka_servers: str, topic_prefix: str) -> Settings:
    made = Settings(
        database_url=provision_database(fresh_database, PASSWORDS, 4)["notifications"],
        kafka_servers=kafka_servers,
        topic_prefix=topic_prefix,
        master_key=base64.b64encode(b"k" * 32).decode(),
        consumer_session_ms=1_500,
    )
    await ensure_topics(made)
    return made


@pytest.mark.parametrize("how", ["slow", "down"])
async def test_mails_wait_and_nothing_else_does(settings: Settings, fresh_database: str, plan: Plan, how: str) -> None:
    async with mail_server() as mail, notifications_on(settings, mail, fresh_database) as notifications:
        await mail.stop() if how == "down" else mail.answering.clear()
        customers = [await notifications.customer() for _ in range(CUSTOMERS)]
        for customer in customers:
            await notifications.change(customer)
        started = time.monotonic()
        for customer in customers:
            await eventually(partial(notifications.rows, customer))
        queued = time.monotonic() - started
        await eventually(lambda: tried(notifications))
        await others_are_served(notifications, customers)
        assert not mail.mails

        mail.answering.set()
        await mail.mend()
        notifications.clock.ahead = timedelta(minutes=7)
        for customer in customers:
            await notifications.row(customer, state="sent")
        received = [notifications.mails_to(customer) for customer in customers]
        assert all({str(one["Message-ID"]) for one in mails} == {str(mails[0]["Message-ID"])} for mails in received)
        most = max(map(len, received))
        assert most == 1 if how == "down" else most <= 2
        plan.tell(mails=CUSTOMERS, s_to_queue_them=queued, received_twice=sum(len(mails) > 1 for mails in received))


async def tried(notifications: Notifications) -> bool:
    """Whether some mail was attempted in vain."""
    async with notifications.running.service.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM messages WHERE reason IS NOT NULL")
        row = await cursor.fetchone()
    return bool(row and row[0])


async def others_are_served(notifications: Notifications, customers: list[str]) -> None:
    """The service is ready, answers at once, and learns of new customers."""
    client = notifications.running.client
    started = time.monotonic()
    assert (await client.get("/health/ready")).status_code == 200
    listed = await client.get("/messages", headers=await notifications.headers("staff"))
    assert listed.status_code == 200, listed.text
    assert time.monotonic() - started < ANSWERED_SECONDS
    status = await notifications.running.service.status()
    assert all(consumer["lag"] == 0 for consumer in status["consumers"])
    await notifications.recipient(await notifications.customer())


async def test_a_mailer_killed_after_sending_forgets_none(
    settings: Settings, fresh_database: str, folder: Path, plan: Plan
) -> None:
    """What it had sent without saying so goes out again, with the same Message-ID, and nothing else does."""
    async with mail_server() as mail, owners_of(settings) as owners:
        outside = Notifications(None, mail, owners, None, fresh_database)  # type: ignore[arg-type]  # no service here
        customers = [await outside.customer() for _ in range(CUSTOMERS)]
        for customer in customers:
            await outside.change(customer)
        made = World(settings, fresh_database, folder)
        try:
            smtp = {"PORTICO_SMTP_URL": f"{mail.url}?timeout_seconds=5"}
            at = plan.rng.randint(LANES, CUSTOMERS - LANES)
            first = made.start("notifications", f"{Point.MAILER_AFTER_SEND.value}=kill@{at}", **smtp)
            await first.ended()
            sent = len(mail.mails)
            made.start("notifications", **smtp, **{CLOCK_SECONDS: str(timedelta(minutes=8).total_seconds())})
            for customer in customers:
                await outside.row(customer, state="sent")
        finally:
            made.end()
        received = [outside.mails_to(customer) for customer in customers]
        assert min(map(len, received)) == 1
        twice = [mails for mails in received if len(mails) > 1]
        assert 1 <= len(twice) <= LANES
        assert all(len(mails) == 2 and mails[0]["Message-ID"] == mails[1]["Message-ID"] for mails in twice)
        plan.tell(mails=CUSTOMERS, sent_before_the_kill=sent, received_twice=len(twice))


@asynccontextmanager
async def owners_of(settings: Settings) -> AsyncIterator[Owners]:
    """The other services, as far as their topics go."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_servers, acks="all")
    await producer.start()
    try:
        async with open_pool(settings.database_url.get_secret_value(), 4) as pool:
            owners = Owners(producer, settings, Sealer(PostgresKeyring(pool, settings.master_key_bytes)))
            await owners.say("portal/customers", PORTAL)
            yield owners
    finally:
        await producer.stop()
