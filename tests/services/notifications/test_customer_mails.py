"""Mails to customers: what they say and keep to themselves, whom they wait for, and to whom they must not go."""

import uuid
from datetime import timedelta

from chassis.testing import eventually
from contracts.billing import InstalmentConfirmed, InstalmentRefused
from contracts.common import Instalment
from contracts.entities import EntityChanged, EntityCreated
from contracts.envelope import Metadata
from contracts.identity import PersonErased
from contracts.ids import stream
from contracts.notifications import MessageSent
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
