"""Customers and staff are told of their tasks by mail and notice, reminded of them, and told what is done."""

import uuid
from datetime import date
from typing import Any

from chassis.testing import eventually
from contracts.identity import StaffBlocked, StaffRegistered
from contracts.ids import stream
from contracts.processes import ContactAssignee, GroupAssignee, StaffAssignee, StepOverdue, TaskAssigned, TaskDone
from tests.services.notifications.conftest import Notifications
from tests.services.notifications.events import INFO, TITLE, of_task
from tests.services.notifications.outbox import notices, plain


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
