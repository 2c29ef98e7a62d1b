"""Receipts go to whoever submitted something, and the end of a contract is confirmed once, with its day."""

import uuid
from datetime import date, timedelta

from chassis.testing import eventually
from contracts.billing import CancellationConfirmed
from contracts.common import Text
from contracts.entities import EntityChanged
from contracts.ids import stream
from contracts.journeys import JourneyPublished, MailEffect, RecordRef
from contracts.notifications import MessageSent
from tests.services.notifications.conftest import Notifications
from tests.services.notifications.events import automation, submitted, user
from tests.services.notifications.outbox import message, messages, notices, plain


async def test_a_receipt_goes_to_the_contact_the_user_or_the_address_that_was_given(
    notifications: Notifications,
) -> None:
    published = JourneyPublished(
        journey_id="report",
        journey_version=1,
        title=Text(de="Störung melden", en="Report an outage"),
        access="public",
        context=None,
        definition={},
    )
    await notifications.owners.say("journey/report", published)
    anna, unknown = await notifications.customer(), str(uuid.uuid4())
    pending = await user(notifications)
    effects = (MailEffect(template="receipt"),)
    context = RecordRef(entity="contract", id=anna)
    for facts in (
        {"contact_id": anna, "person": stream("contact", anna), "context": context, "email": None},
        {"user_id": pending, "person": stream("user", pending), "email": None},
        {"email": f"{unknown}@example.org"},
    ):
        id_ = str(uuid.uuid4())
        event = submitted(**{"submission_id": id_, "person": stream("submission", id_), "effects": effects, **facts})
        await notifications.owners.say(stream("submission", id_), event)
    (to_anna,) = await notifications.mailed(anna)
    assert to_anna["Subject"] == "Wir haben Ihre Angaben erhalten (7K3F-9QXM)"
    assert "Anliegen: Störung melden" in plain(to_anna)
    assert f"https://portal.example.org/contracts/{anna}" in plain(to_anna)
    (to_unknown,) = await notifications.mailed(unknown)
    assert "Report an outage" in plain(to_unknown)
    assert "your address was given" in plain(to_unknown)
    await notifications.mailed(pending)
    row = await message(notifications, {"contact_id": anna, "template": "receipt"}, state="sent")
    (event,) = await notifications.settled(anna)
    assert isinstance(event, MessageSent)
    assert (event.submission_id, event.effect) == (row["submission_id"], 0)
    assert row["cause"].startswith("journeys/")


async def ends(notifications: Notifications, contract: str, day: date) -> None:
    """The record of a contract has a last day."""
    changed = EntityChanged(
        entity="contract",
        id=contract,
        external_id=contract,
        person=stream("contact", contract),
        attributes={"ends_on": day.isoformat()},
        personal={},
    )
    await notifications.owners.say(stream("contract", contract), changed)

    async def known() -> bool:
        async with notifications.running.service.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT 1 FROM view_contracts_v2 WHERE key = %s AND doc->>'ends_on' = %s", (contract, str(day))
            )
            return await cursor.fetchone() is not None

    await eventually(known, 40)


def confirmed(contract: str, day: date) -> CancellationConfirmed:
    return CancellationConfirmed(
        contract_id=contract,
        contract_number="V-0",
        contact_id=contract,
        cancellation_id=str(uuid.uuid4()),
        ends_on=day,
        portal_id="customers",
    )


async def test_the_end_of_a_contract_is_confirmed_once_whoever_asks_for_the_mail(notifications: Notifications) -> None:
    anna, day = await notifications.customer(), date(2027, 1, 31)
    await ends(notifications, anna, day)
    await notifications.owners.say(stream("process", anna), automation(anna, "cancellation_confirmed"))
    await notifications.owners.say(stream("cancellation", anna), confirmed(anna, day))
    (mail,) = await notifications.mailed(anna)
    assert mail["Subject"] == "Ihre Kündigung ist bestätigt: Vertragsende 31. Januar 2027"
    (posted,) = await notices(notifications, 1, anna)
    assert posted["title"]["de"].startswith("Ihre Kündigung ist bestätigt: Vertrag V-0 endet am 31.01.2027")
    await notifications.owners.say(stream("cancellation", anna), confirmed(anna, date(2027, 2, 28)))
    assert len(await notifications.mailed(anna, 2)) == 2
    rows = await messages(notifications, contract_id=anna)
    assert [row["variables"]["ends_on"] for row in rows] == ["2027-01-31", "2027-02-28"]


async def test_a_confirmation_waits_for_the_last_day(notifications: Notifications) -> None:
    anna = await notifications.customer()
    asked = submitted(
        submission_id=f"s-{anna}",
        contact_id=anna,
        context=RecordRef(entity="contract", id=anna),
        effects=(MailEffect(template="cancellation_confirmed"),),
    )
    await notifications.owners.say(stream("submission", f"s-{anna}"), asked)
    await notifications.row(anna, state="waiting", reason="facts_missing")
    await ends(notifications, anna, date(2027, 3, 31))
    notifications.clock.ahead = timedelta(seconds=10)
    (mail,) = await notifications.mailed(anna)
    assert "31. März 2027" in mail["Subject"]
