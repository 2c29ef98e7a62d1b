"""Wordings over HTTP: the standard one is looked at, and a portal's own goes out where there is one."""

import uuid

from contracts.base import Event
from contracts.ids import stream
from contracts.processes import ContactAssignee, TaskAssigned
from services.notifications.templates.document import standard_document
from tests.services.notifications.conftest import Notifications
from tests.services.notifications.events import INFO, TITLE, automation, of_task


async def test_staff_look_at_a_template(notifications: Notifications) -> None:
    staff = await notifications.headers("staff")
    answer = await notifications.running.client.get("/templates/instalment_confirmed/de/preview", headers=staff)
    assert "Ihr neuer Abschlag ist bestätigt" in answer.text
    assert "script" not in answer.headers["Content-Security-Policy"]


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
    for language, greeting in (("de", "Guten Tag Frau Schmidt,"), ("en", "Hello Ms Schmidt,")):
        asked = await client.get("/templates", headers=staff | {"Accept-Language": language})
        assert asked.json()["items"][0]["variables"]["greeting"] == greeting
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
