"""Journeys are submitted once, their rules are asked again at the end, and what was submitted is listed."""

import asyncio
from datetime import date, timedelta
from typing import Any

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
from tests.services.journeys.conftest import CANCEL, World
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
    assert refused.json()["mistakes"] == [{"path": "reason", "detail": "Please fill this in."}]
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
