"""Mails to users, staff and people unknown, links made when a mail goes out, notices, and a portal's own wording."""

import uuid
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from chassis.testing import eventually
from contracts.base import Event
from contracts.billing import CancellationConfirmed
from contracts.common import Text
from contracts.entities import EntityChanged
from contracts.identity import (
    ActivationRequested,
    InvitationRequested,
    PasswordResetRequested,
    PersonErased,
    StaffBlocked,
    StaffRegistered,
    UserAssigned,
    UserRegistered,
)
from contracts.ids import stream
from contracts.journeys import JourneyPublished, MailEffect, RecordRef
from contracts.notifications import MessageSent
from contracts.processes import (
    ActionRequested,
    Audiences,
    ContactAssignee,
    GroupAssignee,
    StaffAssignee,
    StepOverdue,
    TaskAssigned,
    TaskDone,
)
from services.notifications.templates.document import standard_document
from tests.services.notifications.conftest import Notifications
from tests.services.notifications.test_recipients import submitted

TITLE = Text(de="Nachweis einreichen", en="Send proof")
INFO = Audiences(customer=Text(de="Bitte laden Sie ihn hoch.", en="Please upload it."))


async def user(notifications: Notifications, *events: Any) -> str:
    """Somebody who registered; `events` are made with his ids."""
    id_ = str(uuid.uuid4())
    facts = {"user_id": id_, "portal_id": "customers"}
    registered = UserRegistered(
        **facts,
        person=stream("user", id_),
        email=f"{id_}@example.org",
        name="Anna",
        language="en",
        already_customer=True,
    )
    await notifications.owners.say(stream("user", id_), registered, *(event(**facts) for event in events))
    return id_


async def messages(notifications: Notifications, **where: Any) -> list[dict[str, Any]]:
    conditions = " AND ".join(f"{name} = %s" for name in where)
    async with await psycopg.AsyncConnection.connect(notifications.admin_url, row_factory=dict_row) as connection:
        select = f"SELECT * FROM notifications.messages WHERE {conditions} ORDER BY created_at, id"  # noqa: S608 the test's own names
        return await (await connection.execute(select, list(where.values()))).fetchall()


async def message(notifications: Notifications, where: dict[str, Any], **expected: Any) -> dict[str, Any]:
    """The only message of this kind, once it is as expected."""

    async def fits() -> dict[str, Any] | None:
        rows = await messages(notifications, **where)
        assert len(rows) <= 1
        return rows[0] if rows and all(rows[0][name] == value for name, value in expected.items()) else None

    found = await eventually(fits, 40)
    assert found
    return found


def plain(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


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


def of_task(contact: str, **facts: Any) -> dict[str, Any]:
    return {
        "instance_id": "i-1",
        "process_id": "cancellation",
        "record": RecordRef(entity="contract", id=contact),
        "step_id": "proof",
        "contact_id": contact,
        "portal_id": "customers",
        **facts,
    }


async def test_a_task_is_mailed_with_a_link_straight_to_it_and_posted(notifications: Notifications) -> None:
    anna = await notifications.customer(language="en")
    task = TaskAssigned(
        **of_task(anna),
        assignee=ContactAssignee(role="customer", contact_id=anna),
        title=TITLE,
        info=INFO,
        journey="upload_proof",
        done_on="confirm",
        due_on=date(2026, 12, 5),
    )
    for_staff = task.model_copy(update={"assignee": GroupAssignee(group="sales"), "step_id": "check"})
    await notifications.owners.say(stream("process", anna), task, for_staff)
    (mail,) = await notifications.mailed(anna)
    assert mail["Subject"] == "Please do: Send proof"
    assert "https://portal.example.org/tasks/i-1/proof" in plain(mail)
    assert "Please by: 5 December 2026" in plain(mail)
    assert "Please upload it." in plain(mail)
    facts = of_task(anna, group="sales", due_on=date(2026, 12, 5), assignee=task.assignee, title=TITLE)
    posted = await notices(notifications, 2, anna)
    await notifications.owners.say(stream("process", anna), StepOverdue(**facts))
    _, reminder = await notifications.mailed(anna, 2)
    assert reminder["Subject"] == "Reminder: Send proof"
    assert "https://portal.example.org/tasks/i-1/proof" in plain(reminder)
    assert [(each["kind"], each["contact_id"], each["group"], each["title"]["de"]) for each in posted] == [
        ("task_assigned", anna, None, "Neue Aufgabe: Nachweis einreichen"),
        ("task_assigned", None, "sales", "Neue Aufgabe: Nachweis einreichen"),
    ]
    assert posted[0]["target"]["task"] == {"instance_id": "i-1", "step_id": "proof"}


async def notices(notifications: Notifications, count: int, record: str) -> list[dict[str, Any]]:
    """The notices about a record, once there are so many."""

    async def enough() -> list[dict[str, Any]] | None:
        service = notifications.running.service
        found = []
        for shard in range(4):
            for each in await service.sealer.open(await service.log.read(shard, 0, 1_000)):
                if each.event.type.startswith("portico.notifications.NoticePosted"):
                    found.append(each.event.model_dump(mode="json"))
        about = [each for each in found if each["target"]["record"]["id"] == record]
        return sorted(about, key=lambda each: each["cause"]) if len(about) >= count else None

    found = await eventually(enough, 40)
    assert found
    return found


async def test_staff_of_the_group_are_told_what_is_done(notifications: Notifications) -> None:
    group = f"group_{uuid.uuid4().hex[:8]}"
    otto, gone, other = (str(uuid.uuid4()) for _ in range(3))
    for id_, groups in ((otto, (group,)), (gone, (group,)), (other, ("others",))):
        registered = StaffRegistered(
            staff_id=id_,
            person=stream("staff", id_),
            email=f"{id_}@example.org",
            name="Otto Ohm",
            groups=groups,
            roles=("staff",),
            language="de",
        )
        last = await notifications.owners.say(
            stream("staff", id_), registered, *([StaffBlocked(staff_id=id_)] if id_ == gone else [])
        )

    async def known() -> bool:
        async with notifications.running.service.pool.connection() as connection:
            rows = await (
                await connection.execute(
                    "SELECT doc->>'blocked' FROM view_colleagues_v1 WHERE key = ANY(%s) ORDER BY 1",
                    ([otto, gone, other],),
                )
            ).fetchall()
        return [row[0] for row in rows] == ["false", "false", "true"]

    await eventually(known, 40)
    assert last
    anna = await notifications.customer()
    done = TaskDone(
        **of_task(anna),
        assignee=ContactAssignee(role="customer", contact_id=anna),
        title=TITLE,
        submission_id="s-1",
        group=group,
    )
    await notifications.owners.say(stream("process", anna), done)
    (mail,) = await notifications.mailed(otto)
    assert mail["Subject"] == "Erledigt: Nachweis einreichen"
    assert "Guten Tag Otto Ohm," in plain(mail)
    assert "Formular: liegt vor" in plain(mail)
    await notices(notifications, 1, anna)
    staff = await notifications.headers("staff")

    async def listed() -> list[Any]:
        answer = await notifications.running.client.get(f"/notices?group={group}", headers=staff)
        return [item for item in answer.json()["items"] if item["group"] == group]

    (item,) = await eventually(listed, 40)
    assert (item["kind"], item["title"]["en"]) == ("task_done", "Done: Send proof")
    assert notifications.mails_to(gone) + notifications.mails_to(other) == []
    customer = await notifications.headers("customer")
    assert (await notifications.running.client.get("/notices", headers=customer)).status_code == 403


async def test_one_of_the_staff_is_told_of_his_own_task_and_nobody_else(notifications: Notifications) -> None:
    otto, other, anna = str(uuid.uuid4()), str(uuid.uuid4()), await notifications.customer()
    registered = StaffRegistered(
        staff_id=otto,
        person=stream("staff", otto),
        email=f"{otto}@example.org",
        name="Otto Ohm",
        groups=(),
        roles=("staff",),
        language="de",
    )
    await notifications.owners.say(stream("staff", otto), registered)
    task = TaskAssigned(
        **of_task(anna),
        assignee=StaffAssignee(staff_id=otto),
        title=TITLE,
        info=INFO,
        journey=None,
        done_on="confirm",
        due_on=None,
    )
    await notifications.owners.say(stream("process", anna), task)
    (mail,) = await notifications.mailed(otto)
    assert mail["Subject"] == "Bitte erledigen: Nachweis einreichen"

    async def about_anna(id_: str) -> list[Any]:
        headers = await notifications.headers("staff", stream("staff", id_))
        items = (await notifications.running.client.get("/notices?group=sales", headers=headers)).json()["items"]
        return [item for item in items if item["target"]["record"]["id"] == anna]

    (item,) = await eventually(lambda: about_anna(otto), 40)
    assert (item["kind"], item["staff_id"], item["group"]) == ("task_assigned", otto, None)
    assert await about_anna(other) == []


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


def automation(contract: str, template: str, **parameters: Any) -> ActionRequested:
    return ActionRequested(
        **of_task(contract),
        action=0,
        kind="mail",
        parameters={"template": template, "to": "customer", "attach": [], **parameters},
        process_title=Text(de="Kündigung", en="Cancellation"),
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


async def test_a_portals_own_wording_goes_out_and_the_standard_one_where_there_is_none(
    notifications: Notifications,
) -> None:
    client, staff = notifications.running.client, await notifications.headers("staff")
    template = f"hello_{uuid.uuid4().hex[:8]}"
    words = {
        "subject": "Neues zu {{ process }}",
        "preview": "Neues",
        "body": "<mj-text>{{ greeting }} {{ contract.number }}</mj-text>",
        "text": "{{ greeting }} {{ process }} {{ contract.number }}",
    }
    document = {"portal": "customers", "template": template, "de": words, "en": words}
    path = f"/portals/customers/templates/{template}"
    anna = await notifications.customer()
    await notifications.owners.say(stream("process", anna), automation(anna, template))
    await notifications.row(anna, state="failed", reason="template_unknown")
    put = await client.put(path, json=document, headers=staff)
    assert (put.status_code, put.json(), put.headers["ETag"]) == (200, document, '"1"')
    again = await client.put(path, json=document, headers=staff)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')
    assert (await client.get(path, headers=staff)).json() == document
    position = {"Portico-Position": put.headers["Portico-Position"]}
    listed = (await client.get("/portals/customers/templates", headers=staff | position)).json()["items"]
    assert document in listed
    await notifications.owners.say(stream("process", anna), automation(anna, template))
    (mail,) = await notifications.mailed(anna)
    assert mail["Subject"] == "Neues zu Kündigung"
    shown = await client.get(f"{path}/de/preview", headers=staff)
    assert "Guten Tag Frau Schmidt" in shown.text
    wrong = {**document, "de": {**words, "text": "{{ 10**8 }}"}}
    for language, expected in (("de", "nicht erlaubt"), ("en", "not allowed")):
        for method, where in (("PUT", path), ("POST", f"{path}/preview")):
            refused = await client.request(method, where, json=wrong, headers=staff | {"Accept-Language": language})
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
            (mistake,) = refused.json()["mistakes"]
            assert mistake["path"] == "de.text"
            assert expected in mistake["detail"]
    tried = (await client.post(f"{path}/preview", json=document, headers=staff)).json()
    assert tried["en"]["subject"] == "Neues zu Cancellation"
    assert (await client.delete(path, headers=staff)).status_code == 204
    assert (await client.get(path, headers=staff)).status_code == 404
    assert (await client.put(path, json=document, headers=await notifications.headers("customer"))).status_code == 403


async def test_a_standard_wording_can_be_changed_in_one_language(notifications: Notifications) -> None:
    client, staff = notifications.running.client, await notifications.headers("operator")
    standard = (await client.get("/templates/task_assigned", headers=staff)).json()
    assert standard == standard_document("task_assigned")
    infos = (await client.get("/templates", headers=staff)).json()["items"]
    assert {info["template"]: info["needs_link"] for info in infos}["task_assigned"]
    own = {"portal": "customers", "template": "task_assigned", "de": {**standard["de"], "subject": "Los: {{ title }}"}}
    put = await client.put("/portals/customers/templates/task_assigned", json=own, headers=staff)
    assert put.status_code == 200, put.text
    position = {"Portico-Position": put.headers["Portico-Position"]}
    await client.get("/portals/customers/templates", headers=staff | position)
    german, english = await notifications.customer(), await notifications.customer(language="en")
    for contact in (german, english):
        task: Event = TaskAssigned(
            **of_task(contact),
            assignee=ContactAssignee(role="customer", contact_id=contact),
            title=TITLE,
            info=INFO,
            journey=None,
            done_on="confirm",
            due_on=None,
        )
        await notifications.owners.say(stream("process", contact), task)
    assert (await notifications.mailed(german))[0]["Subject"] == "Los: Nachweis einreichen"
    assert (await notifications.mailed(english))[0]["Subject"] == "Please do: Send proof"
    await client.delete("/portals/customers/templates/task_assigned", headers=staff)
