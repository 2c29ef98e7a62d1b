"""Mails to users: links are made when a mail goes out, and nobody gets one that he does not need."""

from datetime import timedelta

from chassis.testing import eventually
from contracts.identity import (
    ActivationRequested,
    InvitationRequested,
    PasswordResetRequested,
    PersonErased,
    UserAssigned,
)
from contracts.ids import stream
from contracts.notifications import MessageSent
from tests.services.notifications.conftest import Notifications
from tests.services.notifications.events import user
from tests.services.notifications.outbox import message, plain


async def test_a_user_gets_his_links_from_identity_when_the_mail_goes_out(notifications: Notifications) -> None:
    id_ = await user(notifications, ActivationRequested)
    (mail,) = await notifications.mailed(id_)
    assert mail["Subject"] == "Please confirm your e-mail address"
    (asked,) = [each for each in notifications.identity.asked if each["user_id"] == id_]
    assert asked == {"kind": "activation", "portal_id": "customers", "user_id": id_}
    assert "https://portal.example.org/activation/secret-" in plain(mail)
    row = await message(notifications, {"recipient_id": id_}, state="sent")
    assert row["expires_at"] - row["created_at"] == timedelta(hours=1)
    assert "secret" not in str(row)
    log = notifications.running.service.log
    (record,) = (await log.load([stream("message", row["id"])]))[stream("message", row["id"])]
    assert b"secret-" not in record.data
    assert b"example.org" not in record.data
    reset = await user(notifications, PasswordResetRequested)
    invited = await user(notifications, InvitationRequested)
    assert "/reset/secret-" in plain((await notifications.mailed(reset))[0])
    assert "/invitation/secret-" in plain((await notifications.mailed(invited))[0])
    row = await message(notifications, {"recipient_id": invited}, state="sent")
    assert row["expires_at"] - row["created_at"] == timedelta(hours=72)


async def test_no_answer_lets_the_mail_wait_but_not_beyond_the_life_of_its_link(notifications: Notifications) -> None:
    notifications.identity.status = 503
    id_ = await user(notifications, ActivationRequested)
    await message(notifications, {"recipient_id": id_}, state="waiting", reason="identity_unreachable")
    notifications.identity.status = 200
    notifications.clock.ahead = timedelta(seconds=10)
    await notifications.mailed(id_)
    notifications.identity.status = 503
    late = await user(notifications, ActivationRequested)
    await message(notifications, {"recipient_id": late}, state="waiting")
    notifications.identity.status = 200
    notifications.clock.ahead = timedelta(minutes=61)
    await message(notifications, {"recipient_id": late}, state="failed", reason="expired")
    assert notifications.mails_to(late) == []


async def test_a_link_that_nobody_needs_is_no_mail(notifications: Notifications) -> None:
    notifications.identity.status = 409
    id_ = await user(notifications, ActivationRequested)
    await message(notifications, {"recipient_id": id_}, state="failed", reason="link_refused")
    assert notifications.mails_to(id_) == []


async def test_who_waited_for_staff_is_told_that_he_can_sign_in(notifications: Notifications) -> None:
    anna = await notifications.customer(last_name="Wartend")
    await notifications.recipient(anna, last_name="Wartend")
    by_staff = await user(notifications, lambda **facts: UserAssigned(**facts, contact_id=anna, by="staff"))
    by_email = await user(notifications, lambda **facts: UserAssigned(**facts, contact_id=anna, by="email"))
    (mail,) = await notifications.mailed(by_staff)
    assert mail["Subject"] == "Your access to My Lindenau is ready"
    assert "Hello Anna Wartend," in plain(mail)
    row = await message(notifications, {"recipient_id": by_staff}, state="sent")
    (event,) = [each.event for each in await notifications.running.service.streams.history(f"message/{row['id']}")]
    assert isinstance(event, MessageSent)
    assert (event.person, event.contact_id) == (f"user/{by_staff}", anna)
    assert notifications.mails_to(by_email) == []


async def test_an_erased_user_gets_no_mail(notifications: Notifications) -> None:
    notifications.identity.status = 503
    id_ = await user(notifications, ActivationRequested)
    await message(notifications, {"recipient_id": id_}, state="waiting")
    await notifications.owners.say(stream("person", id_), PersonErased(person=stream("user", id_), reason="asked for"))

    async def forgotten() -> bool:
        async with notifications.running.service.pool.connection() as connection:
            cursor = await connection.execute("SELECT doc::text FROM view_users_v1 WHERE key = %s", (id_,))
            row = await cursor.fetchone()
        return row is not None and "example.org" not in row[0]

    await eventually(forgotten, 40)
    notifications.identity.status = 200
    notifications.clock.ahead = timedelta(seconds=10)
    await message(notifications, {"recipient_id": id_}, state="failed", reason="person_erased")
