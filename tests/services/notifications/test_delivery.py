"""Each mail goes out once, whatever topics, mail server, database and other mailers do."""

import asyncio
from datetime import date, timedelta

import psycopg

from chassis.reactions import Handler
from chassis.testing import eventually
from contracts.envelope import Record
from contracts.notifications import MessageFailed
from services.notifications.messages.reactions import MessageHandler
from tests.services.notifications.conftest import Notifications


async def test_the_same_event_delivered_again_gives_one_mail(notifications: Notifications) -> None:
    anna, otto = await notifications.customer(), await notifications.customer()
    records = await notifications.change(anna)
    await notifications.owners.publish(records)
    await notifications.mailed(anna)
    await notifications.owners.publish(records * 3)
    await notifications.change(otto)
    await notifications.mailed(otto)
    await notifications.row(anna, state="sent", attempts=1)
    assert len(notifications.mails_to(anna)) == 1


async def test_the_handler_itself_takes_an_event_once_also_over_two_batches(notifications: Notifications) -> None:
    """As after a checkpoint that was lost: the table alone refuses the second one."""
    anna = await notifications.customer()
    records = await notifications.change(anna)
    await notifications.row(anna, state="sent")
    await apply(notifications, handler(notifications), records)
    await apply(notifications, handler(notifications), records * 2)
    await notifications.row(anna, state="sent", attempts=1)
    assert len(notifications.mails_to(anna)) == 1


def handler(notifications: Notifications) -> MessageHandler:
    """Another one beside the service's own."""

    async def nobody(_: str) -> list[str]:
        return []

    async def unknown(_: str) -> date | None:
        return None

    return MessageHandler(nobody, unknown)


async def test_two_mailers_send_each_mail_once(notifications: Notifications) -> None:
    await notifications.mail.stop()
    contacts = [await notifications.customer() for _ in range(20)]
    for contact in contacts:
        await notifications.change(contact)
    for contact in contacts:
        await notifications.row(contact, state="waiting", reason="smtp_unreachable")
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(minutes=1)
    await asyncio.gather(*(notifications.mailer().deliver_due() for _ in range(4)))
    for contact in contacts:
        await notifications.mailed(contact)
    assert sorted(len(notifications.mails_to(contact)) for contact in contacts) == [1] * 20


async def test_mails_wait_while_the_server_is_down_and_go_out_when_it_is_up(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="waiting", reason="smtp_unreachable")
    assert timedelta(seconds=3) < row["next_attempt_at"] - notifications.clock() < timedelta(seconds=6)
    ready = await notifications.running.client.get("/health/ready")
    assert ready.status_code == 200
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(seconds=10)
    await notifications.mailed(anna)
    await notifications.row(anna, state="sent", reason=None)


async def test_a_mail_that_is_deferred_comes_later(notifications: Notifications) -> None:
    notifications.mail.recipient_reply = "451 4.7.1 greylisted"
    anna = await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="waiting", reason="smtp_deferred", reply="451 4.7.1", attempts=1)
    notifications.mail.recipient_reply = "250 OK"
    notifications.clock.ahead = timedelta(seconds=10)
    await notifications.row(anna, state="sent", attempts=2)
    assert len(notifications.mails_to(anna)) == 1


async def test_an_address_that_does_not_exist_is_given_up_and_not_tried_again(notifications: Notifications) -> None:
    notifications.mail.recipient_reply = "550 5.1.1 <secret@example.org> no such user"
    anna = await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="failed", reason="smtp_refused", reply="550 5.1.1")
    (event,) = await notifications.settled(anna)
    assert isinstance(event, MessageFailed)
    assert event.reason == "smtp_refused 550 5.1.1"
    notifications.mail.recipient_reply = "250 OK"
    await notifications.change(anna)

    async def suppressed() -> bool:
        return [row["reason"] for row in await notifications.rows(anna)] == ["smtp_refused", "address_suppressed"]

    await eventually(suppressed, 40)
    assert notifications.mails_to(anna) == []


async def test_a_slow_server_is_not_sent_the_mail_again_at_once(notifications: Notifications) -> None:
    notifications.mail.answering.clear()
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="waiting", reason="smtp_timeout")
    assert row["next_attempt_at"] - notifications.clock() > timedelta(minutes=4)
    notifications.mail.answering.set()
    notifications.mail.mails.clear()
    notifications.clock.ahead = timedelta(minutes=6)
    await notifications.row(anna, state="sent", attempts=2)


async def test_a_message_whose_sender_died_is_sent_after_its_lease(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="waiting")
    async with notifications.running.service.pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET state = 'sending', next_attempt_at = %s WHERE id = %s",
            (notifications.clock() + timedelta(minutes=5), row["id"]),
        )
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(minutes=4)
    await notifications.mailer().deliver_due()
    assert (await notifications.row(anna))["state"] == "sending"
    notifications.clock.ahead = timedelta(minutes=6)
    await notifications.row(anna, state="sent")


async def test_a_mail_that_is_out_is_recorded_although_the_database_was_away(notifications: Notifications) -> None:
    notifications.mail.answering.clear()
    anna = await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="sending")
    await asyncio.to_thread(cut_connections, notifications.admin_url)
    notifications.mail.answering.set()
    await notifications.row(anna, state="sent", attempts=1)
    assert len(notifications.mails_to(anna)) == 1


def cut_connections(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'portico_notifications'")


async def apply(notifications: Notifications, handler: Handler, records: list[Record]) -> None:
    service = notifications.running.service
    envelopes = await service.sealer.open(records)
    async with service.pool.connection() as connection, connection.transaction():
        await handler.apply(connection, envelopes)
