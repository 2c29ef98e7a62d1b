"""A journey begins with a ticket or in public, for whom it is meant, and once however often somebody presses."""

import asyncio

import httpx
import pytest

from chassis import tickets
from chassis.auth import Principal
from contracts.journeys import JourneySubmitted, MapEffect, StartProcessEffect
from tests.services.journeys.conftest import World


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
