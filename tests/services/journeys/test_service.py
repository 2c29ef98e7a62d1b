"""Journeys by HTTP: published, begun by ticket or in public, answered, sent once; rules are asked again at the end."""

import asyncio
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from chassis import tickets
from chassis.auth import Principal
from chassis.testing import eventually
from chassis.views import ViewReader
from contracts.journeys import (
    CancelContractEffect,
    JourneySubmitted,
    MailEffect,
    MapEffect,
    RecordRef,
    StartProcessEffect,
)
from services.journeys.definitions.views import JOURNEYS, Library
from tests.services.journeys.conftest import CANCEL, NOW, PDF, World
from tests.services.journeys.documents import document


async def test_the_cancellation_of_the_format_runs_as_it_is_written(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id, "de"), world.customer(contact_id, "de")
    begun = (await world.client.get(f"/submissions/{id_}", headers=customer)).json()
    assert (begun["state"], begun["next"], begun["ready"], begun["version"]) == ("open", "reason", False, 1)
    assert begun["steps"][0]["schema"]["properties"]["reason"] == {"enum": ["moving", "price"]}

    wrong = await world.answer(id_, "reason", customer, reason="moving", moving_on="2026-11-21")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_answers")
    assert wrong.json()["mistakes"] == [{"path": "moving_on", "detail": "Frühestens 22.11.2026 ist möglich."}]
    right = await world.answer(id_, "reason", customer, reason="moving", moving_on="2026-12-01")
    assert (right.status_code, right.json()["next"]) == (200, "date")

    sent = await world.send(id_, customer)
    assert sent.status_code == 201, sent.text
    file_id = sent.json()["file_id"]
    dated = await world.answer(id_, "date", customer, ends_on="2027-01-31")
    assert (dated.json()["next"], dated.json()["ready"]) == (None, True)
    assert [each["text"] for each in dated.json()["summary"]] == [
        "Ich ziehe um",
        "01.12.2026",
        "31.01.2027",
        "Nachweis Ä.pdf",
    ]

    submitted = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    assert submitted.status_code == 202, submitted.text
    (event,) = await world.history(id_)
    assert isinstance(event, JourneySubmitted)
    assert submitted.json()["reference"] == event.reference
    assert event.person == f"contact/{contact_id}"
    assert event.answers == {
        "reason": "moving",
        "moving_on": "2026-12-01",
        "ends_on": "2027-01-31",
        "proof": [file_id],
    }
    assert event.mapped == {"0": {"cancel_reason": "moving"}}
    assert [file.file_id for file in event.files] == [file_id]
    record = RecordRef(entity="contract", id=contract_id)
    assert event.effects == (
        MapEffect(record=record, attributes=("cancel_reason",)),
        CancelContractEffect(contract_id=contract_id, ends_on=date(2027, 1, 31)),
        StartProcessEffect(process="cancellation", record=record),
        MailEffect(template="receipt"),
    )
    shown = await world.client.get(f"/submissions/{id_}", headers=customer)
    assert (shown.json()["state"], shown.json()["reference"]) == ("submitted", event.reference)


async def test_what_was_submitted_is_listed_for_staff_and_shown_to_its_sender(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    await world.answer(id_, "reason", customer, reason="price")
    submitted = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    seen = {"Portico-Position": submitted.headers["Portico-Position"]}
    reference = submitted.json()["reference"]

    listed = await world.client.get("/submissions", params={"reference": reference}, headers={**world.staff, **seen})
    assert [each["submission_id"] for each in listed.json()["items"]] == [id_]
    for headers in (world.staff, customer):
        content = (await world.client.get(f"/submissions/{id_}/content", headers={**headers, **seen})).json()
        assert content["answers"] == {"reason": "price"}
        assert content["summary"][0]["text"] == "The price"
        assert [effect["kind"] for effect in content["effects"]] == ["map", "cancel_contract", "start_process", "mail"]
    other = await world.client.get(f"/submissions/{id_}/content", headers=world.customer("somebody-else"))
    assert other.status_code == 404
    assert (await world.client.get("/submissions", headers=customer)).status_code == 403


async def test_the_list_goes_on_by_its_cursor(world: World) -> None:
    contact_id, contract_id = await world.contract()
    sent = []
    for _ in range(3):
        id_ = await world.begin(contact_id, contract_id)
        await world.answer(id_, "reason", world.customer(contact_id), reason="price")
        answer = await world.client.post(f"/submissions/{id_}/submit", headers=world.customer(contact_id))
        sent.append(id_)
        world.clock.now += timedelta(seconds=1)
    headers = {**world.staff, "Portico-Position": answer.headers["Portico-Position"]}
    filters = {"contact_id": contact_id, "limit": 2}

    async def listed() -> Any:
        page = (await world.client.get("/submissions", params=filters, headers=headers)).json()
        return page if page["next"] else None

    first = await eventually(listed)
    second = await world.client.get("/submissions", params={**filters, "cursor": first["next"]}, headers=headers)
    found = [each["submission_id"] for each in (*first["items"], *second.json()["items"])]
    assert found == list(reversed(sent))
    assert second.json()["next"] is None


async def test_sent_twice_at_once_is_sent_once(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    await world.answer(id_, "reason", customer, reason="price")
    answers = await asyncio.gather(
        *(world.client.post(f"/submissions/{id_}/submit", headers=customer) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({(answer.json()["reference"], answer.headers["Portico-Position"]) for answer in answers}) == 1
    assert len(await world.history(id_)) == 1
    await world.change(contract_id, status="in_cancellation")
    again = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    assert again.json() == answers[0].json()
    late = await world.answer(id_, "reason", customer, reason="moving", moving_on="2027-01-01")
    assert (late.status_code, late.json()["code"]) == (409, "already_submitted")


async def test_the_rules_of_the_action_are_asked_again(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id, "de")
    await world.answer(id_, "reason", customer, reason="price")
    await world.change(contract_id, status="terminated")
    refused = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "rule_not_met")
    assert "nicht mehr möglich" in refused.json()["detail"]
    assert await world.history(id_) == []
    await world.change(contract_id, status="active")
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 202


async def test_an_action_that_was_taken_away_refuses_what_had_begun(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    await world.answer(id_, "reason", customer, reason="price")
    other = CANCEL.model_copy(update={"journey": "upload_proof"})
    for actions, enabled, code in (
        ((), True, "rule_not_met"),
        ((other,), True, "rule_not_met"),
        ((CANCEL,), False, "portal_not_available"),
    ):
        await world.portal(*actions, enabled=enabled)
        refused = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    await world.portal(CANCEL)
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 202


async def test_a_record_that_went_to_somebody_else_is_not_changed(world: World) -> None:
    contact_id, _ = await world.contract()
    _, foreign = await world.contract()
    id_, customer = await world.begin(contact_id, foreign), world.customer(contact_id)
    await world.answer(id_, "reason", customer, reason="price")
    refused = await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    assert refused.json()["code"] == "rule_not_met"


async def test_a_task_must_be_open(world: World) -> None:
    contact_id, contract_id = await world.contract()
    task = await world.task(contact_id, contract_id)
    customer = world.customer(contact_id)
    told = {"journey_id": "upload_proof", "task": task}
    id_ = await world.begin(contact_id, contract_id, **told)
    second = await world.begin(contact_id, contract_id, **told)
    for each in (id_, second):
        assert (await world.send(each, customer)).status_code == 201
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 202
    (event,) = await world.history(id_)
    assert isinstance(event, JourneySubmitted)
    assert (event.task, event.mapped) == (task, {"0": {"proof_sent_on": "2026-11-22"}})
    await world.task_done(task, contact_id, contract_id)
    refused = await world.client.post(f"/submissions/{second}/submit", headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "task_not_open")


async def test_tickets_are_for_whom_they_were_issued_and_expire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    contact_id, contract_id = await world.contract()
    ticket = world.ticket(contact_id, contract_id)
    for headers, code in ((world.customer("other"), "ticket_invalid"), (world.gateway(), "ticket_invalid")):
        refused = await world.client.post("/submissions", json={"ticket": ticket}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    forged = await world.client.post("/submissions", json={"ticket": ticket + "x"}, headers=world.customer(contact_id))
    assert forged.json()["code"] == "ticket_invalid"
    monkeypatch.setattr(tickets, "LIFETIME_SECONDS", -1)
    expired = {"ticket": world.ticket(contact_id, contract_id)}
    refused = await world.client.post("/submissions", json=expired, headers=world.customer(contact_id, "de"))
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_expired")
    assert "noch einmal" in refused.json()["detail"]


async def test_a_draft_is_its_users_alone(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_ = await world.begin(contact_id, contract_id)
    for headers in (world.customer("somebody-else"), world.gateway(), world.gateway("guessed"), world.staff):
        for answer in (
            await world.client.get(f"/submissions/{id_}", headers=headers),
            await world.answer(id_, "reason", headers, reason="price"),
            await world.client.post(f"/submissions/{id_}/submit", headers=headers),
            await world.send(id_, headers),
            await world.client.delete(f"/submissions/{id_}/files/{'0' * 32}", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "submission_not_found")
    assert (await world.client.get(f"/submissions/{id_}")).status_code == 401


async def test_what_began_goes_on_with_its_version(world: World) -> None:
    body = document("upload_proof") | {"journey": "pinned"}
    del body["steps"][0]["fields"]["proof"]
    await world.publish(body)
    contact_id, contract_id = await world.contract()
    first = await world.begin(contact_id, contract_id, journey_id="pinned", action=None)
    body["steps"][0]["fields"]["reason"] = {"type": "text", "required": True}
    assert (await world.publish(body)).headers["ETag"] == '"2"'
    second = await world.begin(contact_id, contract_id, journey_id="pinned", action=None)
    customer = world.customer(contact_id)
    withdrawn = await world.client.delete("/journeys/pinned", headers=world.staff)
    await world.client.get(
        "/journeys", headers={**world.staff, "Portico-Position": withdrawn.headers["Portico-Position"]}
    )
    refused = await world.client.post(
        "/submissions",
        json={"ticket": world.ticket(contact_id, contract_id, journey_id="pinned", action=None)},
        headers=customer,
    )
    assert (refused.status_code, refused.json()["code"]) == (404, "journey_not_found")

    assert (await world.client.post(f"/submissions/{first}/submit", headers=customer)).status_code == 202
    refused = await world.client.post(f"/submissions/{second}/submit", headers=customer)
    assert refused.json()["mistakes"] == [{"path": "reason", "detail": "Please answer this question."}]
    assert refused.json()["steps"] == ["proof"]
    await world.answer(second, "proof", customer, reason="because")
    assert (await world.client.post(f"/submissions/{second}/submit", headers=customer)).status_code == 202
    fresh = Library(ViewReader(JOURNEYS, world.service.pool), world.service.streams)
    fields = [list((await fresh.version("pinned", version)).questions()) for version in (1, 2)]
    assert fields == [["remark"], ["remark", "reason"]]
    events = [*await world.history(first), *await world.history(second)]
    assert [event.journey_version for event in events if isinstance(event, JourneySubmitted)] == [1, 2]


async def test_hidden_answers_are_dropped_also_those_that_were_kept_before(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    await world.answer(id_, "reason", customer, reason="moving", moving_on="2026-12-01")
    await world.answer(id_, "reason", customer, reason="price", moving_on="1999-01-01")
    await world.client.post(f"/submissions/{id_}/submit", headers=customer)
    (event,) = await world.history(id_)
    assert isinstance(event, JourneySubmitted)
    assert event.answers == {"reason": "price"}


async def test_a_public_journey_needs_no_ticket_but_its_secret(world: World) -> None:
    body = {"journey_id": "contact_us", "portal_id": "customers", "language": "de"}
    begun = (await world.client.post("/submissions", json=body, headers=world.gateway())).json()
    id_, secret = begun["submission_id"], begun["draft_secret"]
    mine = world.gateway(secret)
    assert (await world.client.get(f"/submissions/{id_}", headers=world.gateway())).status_code == 404
    assert (await world.client.get(f"/submissions/{id_}", headers=mine)).json()["language"] == "de"
    who = {"name": "Cleo", "email": "cleo@example.org", "customer": False, "number": "K-1"}
    assert (await world.answer(id_, "who", mine, **who)).status_code == 200
    answered = await world.answer(id_, "what", mine, about=["meter"], terms=True)
    assert answered.json()["next"] == "reading"
    wrong = await world.answer(id_, "reading", mine, reading=-1, meter="?")
    assert wrong.json()["mistakes"] == [
        {"path": "reading", "detail": "It must be at least 0."},
        {"path": "meter", "detail": "This answer does not have the expected form."},
    ]
    assert (await world.answer(id_, "reading", mine, reading=4711)).status_code == 200
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=mine)).status_code == 202
    (event,) = await world.history(id_)
    assert isinstance(event, JourneySubmitted)
    assert (event.person, event.user_id, event.contact_id) == (f"submission/{id_}", None, None)
    assert event.email == "cleo@example.org"
    assert isinstance(event.answers, dict)
    assert "number" not in event.answers
    request, process, _ = event.effects
    assert isinstance(request, MapEffect)
    assert request.create
    assert isinstance(process, StartProcessEffect)
    assert process.record == request.record
    assert event.mapped == {
        "0": {"title": "Anfrage von Cleo", "about": ["meter"], "received_on": "2026-11-22", "source": "today"}
    }


async def test_a_second_press_answers_the_same_draft(world: World) -> None:
    contact_id, contract_id = await world.contract()
    _, another = await world.contract()
    principal = Principal("customer", f"user/of-{contact_id}", contact_id, "customers")
    pressed = world.as_(principal, **{"Idempotency-Key": "press-1"})

    async def press(ticket: str, headers: dict[str, str]) -> httpx.Response:
        return await world.client.post("/submissions", json={"ticket": ticket}, headers=headers)

    tickets = [world.ticket(contact_id, contract_id) for _ in range(3)]
    answers = await asyncio.gather(*(press(ticket, pressed) for ticket in tickets))
    assert {answer.status_code for answer in answers} == {201}
    (id_,) = {answer.json()["submission_id"] for answer in answers}
    await world.answer(id_, "reason", world.customer(contact_id), reason="price")
    later = (await press(tickets[0], pressed)).json()
    assert (later["submission_id"], later["next"]) == (id_, "date")
    drafts = (await world.client.get("/drafts", headers=world.customer(contact_id))).json()["items"]
    assert [each["submission_id"] for each in drafts] == [id_]
    mixed_up = await press(world.ticket(contact_id, another), pressed)
    assert (mixed_up.status_code, mixed_up.json()["code"]) == (422, "idempotency_key_reused")
    for headers in (world.customer(contact_id), world.as_(principal, **{"Idempotency-Key": "press-2"})):
        assert (await press(tickets[0], headers)).json()["submission_id"] != id_


async def test_a_second_press_without_signing_in_is_told_the_same_secret(world: World) -> None:
    body = {"journey_id": "contact_us", "portal_id": "customers"}
    answers = []
    for key in ("visitor-1", "visitor-1", "visitor-2"):
        headers = {**world.gateway(), "Idempotency-Key": key}
        answers.append((await world.client.post("/submissions", json=body, headers=headers)).json())
    first, again, other = answers
    assert (again["submission_id"], again["draft_secret"]) == (first["submission_id"], first["draft_secret"])
    assert {other["submission_id"], other["draft_secret"]}.isdisjoint({first["submission_id"], first["draft_secret"]})
    path = f"/submissions/{first['submission_id']}"
    for secret, status in ((first["draft_secret"], 200), (other["draft_secret"], 404)):
        assert (await world.client.get(path, headers=world.gateway(secret))).status_code == status


async def test_a_journey_of_the_portal_is_not_public(world: World) -> None:
    body = {"journey_id": "cancellation", "portal_id": "customers"}
    refused = await world.client.post("/submissions", json=body, headers=world.gateway())
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden_without_ticket")
    unknown = await world.client.post(
        "/submissions", json={"journey_id": "contact_us", "portal_id": "nowhere"}, headers=world.gateway()
    )
    assert unknown.json()["code"] == "portal_not_available"
    for body in ({}, {"ticket": "x", "journey_id": "y", "portal_id": "z"}, {"journey_id": "contact_us"}):
        assert (await world.client.post("/submissions", json=body, headers=world.gateway())).status_code == 422


async def test_who_is_signed_in_begins_in_his_own_portal_only(world: World) -> None:
    body = {"journey_id": "contact_us", "portal_id": "customers"}
    for own, status in (("installers", 409), ("customers", 201)):
        headers = world.as_(Principal("customer", "user/abroad", "abroad", own))
        answer = await world.client.post("/submissions", json=body, headers=headers)
        assert answer.status_code == status, answer.text


async def test_answers_of_two_steps_at_once_are_both_kept(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    answered = await asyncio.gather(
        world.answer(id_, "reason", customer, reason="price"),
        world.answer(id_, "date", customer, ends_on="2027-02-01"),
        world.send(id_, customer, PDF),
    )
    assert [answer.status_code for answer in answered] == [200, 200, 201]
    shown = (await world.client.get(f"/submissions/{id_}", headers=customer)).json()
    assert [each["field"] for each in shown["summary"]] == ["reason", "ends_on", "proof"]


async def test_answers_are_sealed_while_they_wait(world: World) -> None:
    body = {"journey_id": "contact_us", "portal_id": "customers"}
    begun = (await world.client.post("/submissions", json=body, headers=world.gateway())).json()
    mine = world.gateway(begun["draft_secret"])
    await world.answer(begun["submission_id"], "who", mine, name="Veryspecial", email="a@example.org")
    ((stored,),) = await world.rows("SELECT to_jsonb(drafts)::text FROM drafts WHERE id = %s", begun["submission_id"])
    assert "Veryspecial" not in stored
    assert begun["draft_secret"] not in stored


async def test_drafts_expire(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)
    world.clock.now += timedelta(days=30, seconds=1)
    try:
        assert (await world.client.get(f"/submissions/{id_}", headers=customer)).status_code == 404
    finally:
        world.clock.now = NOW


async def test_a_user_who_begins_again_and_again_keeps_the_latest(world: World) -> None:
    principal = Principal("customer", "user/busy", "busy", "customers")
    ids = []
    for _ in range(52):
        body = {"journey_id": "contact_us", "portal_id": "customers"}
        begun = await world.client.post("/submissions", json=body, headers=world.as_(principal))
        assert begun.json()["draft_secret"] is None
        ids.append(begun.json()["submission_id"])
        world.clock.now += timedelta(seconds=1)
    statuses = [
        (await world.client.get(f"/submissions/{id_}", headers=world.as_(principal))).status_code
        for id_ in (ids[0], ids[1], ids[2], ids[-1])
    ]
    assert statuses == [404, 404, 200, 200]
    pressed = {**world.as_(principal), "Idempotency-Key": "busy"}
    for _ in range(2):
        await world.client.post("/submissions", json=body, headers=pressed)
    drafts = (await world.client.get("/drafts", headers=pressed)).json()["items"]
    assert [len(drafts), drafts[-1]["submission_id"]] == [50, ids[3]]


async def test_what_was_typed_is_kept_without_being_right(world: World) -> None:
    contact_id, contract_id = await world.contract()
    id_, customer = await world.begin(contact_id, contract_id), world.customer(contact_id)

    async def type_(**answers: Any) -> httpx.Response:
        body = {"answers": answers, "as_typed": True}
        return await world.client.put(f"/submissions/{id_}/steps/reason", json=body, headers=customer)

    typed = (await type_(reason="moving", moving_on="soon")).json()
    step = typed["steps"][0]
    assert "moving_on" in step["fields"]
    assert (step["answers"]["moving_on"], step["done"], typed["next"]) == ("soon", False, "reason")
    assert [each["field"] for each in typed["summary"]] == ["reason"]
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 422
    assert (await type_(nobody="asks")).status_code == 422
    again = (await world.client.get(f"/submissions/{id_}", headers=customer)).json()
    assert again["steps"][0]["answers"]["moving_on"] == "soon"
    done = (await world.answer(id_, "reason", customer, reason="price")).json()["steps"][0]
    assert (done["done"], done["answers"]) == (True, {"reason": "price"})
    assert (await type_(reason="price")).json()["steps"][0]["done"]
    assert not (await type_(reason="moving")).json()["steps"][0]["done"]


async def test_a_user_finds_what_he_has_begun(world: World) -> None:
    contact_id, contract_id = await world.contract()
    customer = world.customer(contact_id)
    first = await world.begin(contact_id, contract_id)
    world.clock.now += timedelta(seconds=1)
    second = await world.begin(contact_id, contract_id)
    try:
        listed = await world.client.get("/drafts", headers=customer)
    finally:
        world.clock.now = NOW
    assert [each["submission_id"] for each in listed.json()["items"]] == [second, first]
    assert listed.json()["items"][0]["context"] == {"entity": "contract", "id": contract_id}
    somebody = world.as_(Principal("customer", f"user/of-{contact_id}", "somebody", "customers"))
    assert (await world.client.get("/drafts", headers=somebody)).json()["items"] == []
    assert (await world.client.get("/drafts", headers=world.gateway())).status_code == 403


async def test_a_document_can_be_looked_at_before_it_is_published(world: World) -> None:
    body = document("contact_us") | {"journey": "tried", "submit": {"de": "Senden", "en": "Send"}}
    form = (await world.client.post("/journeys/tried/form", json=body, headers=world.staff)).json()
    assert (form["version"], form["submit"]["en"], len(form["steps"])) == (0, "Send", 3)
    assert (await world.client.get("/journeys/tried", headers=world.staff)).status_code == 404
    wrong = await world.client.post("/journeys/tried/form", json=body | {"steps": []}, headers=world.staff)
    assert (wrong.status_code, wrong.json()["mistakes"][0]["path"]) == (422, "steps")
    assert (await world.client.post("/journeys/tried/form", json=body, headers=world.gateway())).status_code == 403


async def test_documents_come_back_as_they_were_written(world: World) -> None:
    body = document("cancellation")
    answer = await world.client.get("/journeys/cancellation", headers=world.staff)
    assert answer.json() == body
    assert list(answer.json()["steps"][0]["fields"]) == list(body["steps"][0]["fields"])
    again = await world.publish("cancellation")
    assert (again.headers["ETag"], again.json()) == (answer.headers["ETag"], body)
    listed = await world.client.get("/journeys", headers=world.staff)
    assert body in listed.json()["items"]
    versions = await world.client.get("/journeys/cancellation/versions", headers=world.staff)
    assert [(each["version"], each["published_by"]) for each in versions.json()] == [(1, "staff/sam")]
    for headers in (world.customer("c"), world.gateway()):
        assert (await world.client.get("/journeys/cancellation", headers=headers)).status_code == 403
        assert (await world.client.put("/journeys/cancellation", json=body, headers=headers)).status_code == 403


async def test_a_document_with_mistakes_is_not_published(world: World) -> None:
    body = document("cancellation") | {"journey": "wrong"}
    body["steps"][0]["fields"]["reason"]["when"] = [{"answers.moving_on": {"exists": True}}]
    refused = await world.client.put(
        "/journeys/wrong", json=body, headers={**world.staff, "Accept-Language": "de-DE,de;q=0.9"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert refused.json()["mistakes"] == [
        {
            "path": "steps.0.fields.reason.when",
            "detail": "die Bedingungen hängen im Kreis voneinander ab: reason → moving_on → reason",
        }
    ]
    assert (await world.client.get("/journeys/wrong", headers=world.staff)).status_code == 404


async def test_versions_stay_readable_and_a_withdrawn_journey_comes_back_as_a_new_one(world: World) -> None:
    body = document("upload_proof") | {"journey": "again"}
    await world.publish(body)
    await world.publish(body | {"title": {"de": "Neu", "en": "New"}})
    assert (await world.client.delete("/journeys/again", headers=world.staff)).status_code == 204
    assert (await world.client.get("/journeys/again", headers=world.staff)).status_code == 404
    old = await world.client.get("/journeys/again", params={"version": 1}, headers=world.staff)
    assert old.json() == body
    await world.publish(body)
    versions = await world.client.get("/journeys/again/versions", headers=world.staff)
    assert [each["version"] for each in versions.json()] == [3, 2, 1]


async def test_a_form_is_shown_with_json_schema(world: World) -> None:
    form = (await world.client.get("/journeys/contact_us/form", headers=world.gateway())).json()
    assert (form["version"], form["access"]) == (1, "public")
    who, what, reading = form["steps"]
    assert who["schema"]["required"] == ["name", "email"]
    assert who["ui"][3]["when"] == [{"answers.customer": {"is": True}}]
    assert what["ui"][0]["options"][0] == {"value": "bill", "label": {"de": "Rechnung", "en": "Bill"}}
    assert reading["schema"]["properties"]["reading"]["maximum"] == 9999999
    assert [(each["field"], each["type"]) for each in reading["ui"]] == [("reading", "integer"), ("meter", "text")]
