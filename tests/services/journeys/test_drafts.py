"""Drafts: their user's alone, sealed, kept as they were typed, found again, and gone when they are old or too many."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx

from chassis.auth import Principal
from tests.services.journeys.conftest import NOW, PDF, World


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
