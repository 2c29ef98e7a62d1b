"""Mails through the real consumer, queue and mail server: once each, in time, and never to whom they must not go."""

import asyncio
import uuid
from datetime import date, datetime, timedelta

import psycopg

from chassis.reactions import Handler
from chassis.testing import eventually
from chassis.texts import ZONE
from contracts.billing import InstalmentConfirmed, InstalmentRefused
from contracts.common import Instalment
from contracts.entities import EntityChanged, EntityCreated
from contracts.envelope import Metadata, Record
from contracts.identity import PersonErased
from contracts.ids import stream
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent
from services.notifications.messages.reactions import MessageHandler
from tests.services.notifications.conftest import Notifications, changed


async def test_the_story_of_a_change_in_mails(notifications: Notifications) -> None:
    anna = await notifications.customer(language="en", salutation="ms", last_name="Smith")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await notifications.change(anna, Metadata(correlation_id="order-66", traceparent=trace))
    await notifications.mailed(anna)
    facts = {"contract_id": anna, "contract_number": "V-0", "contact_id": anna, "change_id": "x", "currency": "EUR"}
    confirmed = InstalmentConfirmed(
        **facts,
        from_cents=9200,
        amount_cents=7800,
        effective_from="2027-01-01",
        schedule=(Instalment(due_on="2027-01-01", amount_cents=7800),),
    )
    await notifications.owners.say(stream("instalments", anna), confirmed)
    await notifications.mailed(anna, 2)
    refused = InstalmentRefused(**facts, amount_cents=7000, current_cents=7800, reason="Below your <expected> use.")
    await notifications.owners.say(stream("instalments", anna), refused)
    mails = await notifications.mailed(anna, 3)
    assert [mail["Subject"] for mail in mails] == [
        "We have your request: instalment of €78.00 from 1 January 2027",
        "Confirmed: your instalment is €78.00 from 1 January 2027",
        "Your instalment stays at €78.00",
    ]
    for mail in mails:
        text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
        assert "Hello Ms Smith," in text
        assert f'href="https://portal.example.org/contracts/{anna}"' in html
        assert str(mail["From"]) == "My Lindenau <portal@example.org>"
    assert "Below your <expected> use." in mails[2].get_body(("plain",)).get_content()

    async def all_recorded() -> bool:
        return len(await notifications.settled(anna)) == 3

    await eventually(all_recorded, 40)
    events = await notifications.settled(anna)
    assert [event.template for event in events if isinstance(event, MessageSent)] == [
        "instalment_requested",
        "instalment_confirmed",
        "instalment_refused",
    ]
    row = (await notifications.rows(anna))[0]
    envelope = (await notifications.running.service.streams.history(stream("message", row["id"])))[0]
    assert envelope.metadata.causation_id == row["cause"]
    assert envelope.metadata.correlation_id == "order-66"
    assert (envelope.metadata.traceparent or "").startswith("00-0af7651916cd43dd8448eb211c80319c")


async def test_what_is_kept_and_published_names_nobody(notifications: Notifications) -> None:
    anna = await notifications.customer(last_name="Wunderlich")
    await notifications.change(anna)
    row = await notifications.row(anna, state="sent")
    assert "Wunderlich" not in str(row)
    assert f"{anna}@example.org" not in str(row)
    log = notifications.running.service.log
    record = (await log.load([stream("message", row["id"])]))[stream("message", row["id"])][0]
    assert b"example.org" not in record.data
    assert b"Abschlag" not in record.data
    (event,) = await notifications.settled(anna)
    assert isinstance(event, MessageSent)
    assert event.recipient == f"{anna}@example.org"


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


async def test_a_mail_waits_for_its_recipient_and_portal(notifications: Notifications) -> None:
    id_ = str(uuid.uuid4())
    await notifications.owners.say(stream("instalments", id_), changed(None, id_, portal_id=None))
    await notifications.row(id_, state="waiting", reason="recipient_unknown")
    person = stream("contact", id_)
    await notifications.owners.say(
        person,
        EntityCreated(
            entity="contact",
            id=id_,
            external_id="K",
            person=person,
            attributes={},
            personal={"email": f"{id_}@example.org"},
            relations={},
        ),
    )
    await notifications.owners.say(
        stream("contract", id_),
        EntityCreated(
            entity="contract",
            id=id_,
            external_id="V-77",
            person=person,
            attributes={},
            personal={},
            relations={"holder": (id_,)},
        ),
    )
    notifications.clock.ahead = timedelta(seconds=10)
    (mail,) = await notifications.mailed(id_)
    assert mail["Content-Language"] == "de"
    assert "Guten Tag,\n" in mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    await notifications.row(id_, state="sent", contact_id=id_)


async def test_the_address_is_the_one_at_the_moment_of_sending(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="waiting")
    moved = EntityChanged(
        entity="contact",
        id=anna,
        external_id=f"K-{anna}",
        person=stream("contact", anna),
        attributes={"language": "en"},
        personal={"email": f"{anna}-new@example.org"},
    )
    await notifications.owners.say(stream("contact", anna), moved)
    await notifications.recipient(anna, language="en")
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(seconds=10)
    (mail,) = await notifications.mailed(anna)
    assert str(mail["To"]) == f"{anna}-new@example.org"
    assert mail["Content-Language"] == "en"


async def test_an_erased_person_gets_no_mail_and_is_forgotten(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna, otto = await notifications.customer(), await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="waiting")
    person = stream("contact", anna)
    await notifications.owners.say(person.replace("contact", "person"), PersonErased(person=person, reason="asked for"))
    await notifications.recipient(anna, erased=True)
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(seconds=10)
    await notifications.row(anna, state="failed", reason="person_erased")
    await notifications.change(otto)
    await notifications.mailed(otto)
    assert notifications.mails_to(anna) == []
    async with notifications.running.service.pool.connection() as connection:
        cursor = await connection.execute("SELECT doc::text FROM view_recipients_v1 WHERE key = %s", (anna,))
        row = await cursor.fetchone()
    assert row is not None
    assert "example.org" not in row[0]


async def test_a_message_that_is_too_old_is_not_sent(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    await notifications.row(anna, state="waiting")
    async with notifications.running.service.pool.connection() as connection:
        await connection.execute("UPDATE messages SET expires_at = created_at WHERE contract_id = %s", (anna,))
    await notifications.mail.start()
    notifications.clock.ahead = timedelta(seconds=10)
    await notifications.row(anna, state="failed", reason="expired")
    assert notifications.mails_to(anna) == []


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


async def test_staff_see_the_delivery_log(notifications: Notifications) -> None:
    anna, otto = await notifications.customer(), await notifications.customer()
    for contact in (anna, otto, anna):
        await notifications.change(contact)
    await notifications.mailed(anna, 2)
    await notifications.mailed(otto)
    client, staff = notifications.running.client, await notifications.headers("staff")

    async def all_sent() -> bool:
        newest = (await client.get("/messages?limit=3", headers=staff)).json()["items"]
        return [item["state"] for item in newest] == ["sent"] * 3

    await eventually(all_sent, 40)
    first = (await client.get("/messages?limit=2", headers=staff)).json()
    rest = (await client.get("/messages", params={"limit": 2, "cursor": first["next"]}, headers=staff)).json()
    assert [item["contact_id"] for item in first["items"] + rest["items"]][:3] == [anna, otto, anna]
    of_otto = (await client.get("/messages", params={"contact_id": otto}, headers=staff)).json()["items"]
    assert [(item["contact_id"], item["state"], item["language"]) for item in of_otto] == [(otto, "sent", "de")]
    failed = (await client.get("/messages", params={"status": "failed", "contact_id": otto}, headers=staff)).json()
    assert failed == {"items": [], "next": None}
    sent = datetime.fromisoformat(of_otto[0]["created_at"]).astimezone(ZONE).date()
    for narrowed, expected in (
        ({"template": of_otto[0]["template"], "portal_id": of_otto[0]["portal_id"], "recipient": "contact"}, of_otto),
        ({"since": sent.isoformat(), "until": sent.isoformat()}, of_otto),
        ({"template": "receipt"}, []),
        ({"portal_id": "nowhere"}, []),
        ({"recipient": "staff"}, []),
        ({"since": (sent + timedelta(days=1)).isoformat()}, []),
        ({"until": (sent - timedelta(days=1)).isoformat()}, []),
        ({"until": "9999-12-31"}, of_otto),
    ):
        found = await client.get("/messages", params={"contact_id": otto, **narrowed}, headers=staff)
        assert found.json()["items"] == expected
    one = (await client.get(f"/messages/{of_otto[0]['id']}", headers=staff)).json()
    assert one["history"][0]["recipient"] == f"{otto}@example.org"
    operator = await notifications.headers("operator")
    seen = (await client.get(f"/messages/{of_otto[0]['id']}", headers=operator)).json()
    assert seen["history"] == one["history"]


async def test_the_log_says_in_words_why_a_message_waits(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="waiting", reason="smtp_unreachable")
    staff = await notifications.headers("staff")
    url = f"/messages/{row['id']}"
    german = (await notifications.running.client.get(url, headers={**staff, "Accept-Language": "de"})).json()
    english = (await notifications.running.client.get(url, headers={**staff, "Accept-Language": "en"})).json()
    assert german["explanation"] == "Der Mailserver ist nicht erreichbar."
    assert english["explanation"] == "The mail server cannot be reached."


async def test_staff_send_a_mail_once_more_and_once_only(notifications: Notifications) -> None:
    anna = await notifications.customer()
    await notifications.change(anna)
    (mail,) = await notifications.mailed(anna)
    row = await notifications.row(anna, state="sent")
    client, staff = notifications.running.client, await notifications.headers("staff")
    url, headers = f"/messages/{row['id']}/resend", {**staff, "Idempotency-Key": "again-1"}
    answers = [await client.post(url, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.headers["Portico-Position"] for answer in answers}) == 1
    _, again = await notifications.mailed(anna, 2)
    await notifications.row(anna, state="sent", resends=1)
    assert again["Message-ID"] != mail["Message-ID"]
    assert again["Subject"] == mail["Subject"]
    assert (await client.post(url, headers=headers)).status_code == 202
    events = await notifications.settled(anna)
    assert [type(event) for event in events] == [MessageSent, MessageResendRequested, MessageSent]
    history = (await client.get(f"/messages/{row['id']}", headers=staff)).json()["history"]
    assert [(item["what"], item["by"]) for item in history] == [
        ("sent", None),
        ("resend_requested", "staff-1"),
        ("sent", None),
    ]
    assert len(notifications.mails_to(anna)) == 2


async def test_a_resend_wakes_a_message_that_waits_and_tries_a_suppressed_address(notifications: Notifications) -> None:
    notifications.mail.recipient_reply = "550 5.1.1 no such user"
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="failed")
    notifications.mail.recipient_reply = "250 OK"
    staff = await notifications.headers("staff")
    await notifications.running.client.post(f"/messages/{row['id']}/resend", headers=staff)
    await notifications.mailed(anna)
    await notifications.row(anna, state="sent", reason=None)
    await notifications.change(anna)
    await notifications.mailed(anna, 2)


async def test_who_may_do_what(notifications: Notifications) -> None:
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="sent")
    client = notifications.running.client
    requests = {
        ("GET", "/messages"): {"staff", "operator"},
        ("GET", f"/messages/{row['id']}"): {"staff", "operator"},
        ("POST", f"/messages/{row['id']}/resend"): {"staff", "operator"},
        ("GET", "/templates/instalment_refused/de/preview"): {"staff", "operator"},
    }
    for (method, path), roles in requests.items():
        assert (await client.request(method, path)).status_code == 401
        for role in ("customer", "installer", "staff", "operator", "erp", "gateway"):
            answer = await client.request(method, path, headers=await notifications.headers(role))
            assert (answer.status_code in {200, 202}) is (role in roles), (method, path, role)


async def test_refusals_have_codes(notifications: Notifications) -> None:
    client, staff = notifications.running.client, await notifications.headers("staff")
    expected: dict[tuple[str, str], tuple[int, str]] = {
        ("GET", "/messages/nothing"): (404, "message_not_found"),
        ("POST", "/messages/nothing/resend"): (404, "message_not_found"),
        ("GET", "/templates/layout/de/preview"): (404, "template_not_found"),
        ("GET", "/templates/..%2F..%2Fapp/de/preview"): (404, "not_found"),
        ("GET", "/templates/instalment_refused/fr/preview"): (422, "invalid_request"),
        ("GET", "/messages?cursor=nonsense"): (422, "invalid_cursor"),
        ("GET", "/messages?status=lost"): (422, "invalid_request"),
    }
    for (method, path), answered in expected.items():
        answer = await client.request(method, path, headers=staff)
        assert (answer.status_code, answer.json()["code"]) == answered, path


async def test_staff_look_at_a_template(notifications: Notifications) -> None:
    staff = await notifications.headers("staff")
    answer = await notifications.running.client.get("/templates/instalment_confirmed/de/preview", headers=staff)
    assert "Ihr neuer Abschlag ist bestätigt" in answer.text
    assert "script" not in answer.headers["Content-Security-Policy"]


def cut_connections(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'portico_notifications'")


async def apply(notifications: Notifications, handler: Handler, records: list[Record]) -> None:
    service = notifications.running.service
    envelopes = await service.sealer.open(records)
    async with service.pool.connection() as connection, connection.transaction():
        await handler.apply(connection, envelopes)
