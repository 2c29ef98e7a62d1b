"""Launch tickets: for the own record and while the rules hold, or for an open task of one's own; never else."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from chassis.auth import Principal
from chassis.texts import LANGUAGES
from chassis.tickets import Ticket, Tickets
from contracts.base import Event
from contracts.ids import stream
from contracts.journeys import RecordRef, TaskRef
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.documents import WITHDRAWN
from tests.services.portal.happenings import CHECK, PROOF, done, said_done, started, turn
from tests.services.portal.homes import Headers, Household, get, move_in

Refusal = tuple[int, str]


def of_contract(home: Household, action: str = "cancel") -> dict[str, Any]:
    return {"action": action, "record": {"entity": "contract", "id": home.contract_id}}


async def issued(client: httpx.AsyncClient, elsewhere: Elsewhere, headers: Headers, wanted: dict[str, Any]) -> Ticket:
    response = await client.post("/tickets", headers=headers, json=wanted)
    assert response.status_code == 201, response.text
    shown = response.json()
    expires_at = datetime.fromisoformat(shown["expires_at"])
    assert 7_100 < (expires_at - datetime.now(UTC)).total_seconds() <= 7_200
    ticket = Tickets(elsewhere.portal.service.settings.master_key_bytes).read(shown["ticket"])
    assert ticket.journey_id == shown["journey_id"]
    return ticket


async def refused(client: httpx.AsyncClient, headers: Headers, wanted: dict[str, Any]) -> Refusal:
    response = await client.post("/tickets", headers=headers, json=wanted)
    return response.status_code, response.json()["code"]


async def told(client: httpx.AsyncClient, headers: Headers, wanted: dict[str, Any]) -> dict[str, str]:
    """Why an action is not available, in every language."""
    sentences: dict[str, str] = {}
    for language in LANGUAGES:
        response = await client.post("/tickets", headers={**headers, "Accept-Language": language}, json=wanted)
        assert (response.status_code, response.json()["code"]) == (403, "action_not_available"), response.text
        sentences[language] = response.json()["detail"]
    return sentences


async def offered(client: httpx.AsyncClient, home: Household, headers: Headers) -> set[str]:
    page = await get(client, f"/contracts/{home.contract_id}", headers)
    return {action["id"] for action in page["actions"]}


async def test_a_ticket_says_who_may_begin_what_and_where(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    ticket = await issued(client, elsewhere, users.customer(home.contact_id), of_contract(home))
    assert ticket == Ticket(
        subject=f"user/of-{home.contact_id}",
        portal_id="customers",
        journey_id="cancellation",
        contact_id=home.contact_id,
        action="cancel",
        context=RecordRef(entity="contract", id=home.contract_id),
    )


async def test_a_rule_on_the_status(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    active = await move_in(elsewhere)
    leaving = await move_in(elsewhere, status="in_cancellation")
    for home, actions in ((active, {"cancel"}), (leaving, set())):
        headers = users.customer(home.contact_id)
        assert await offered(client, home, headers) == actions
    await issued(client, elsewhere, users.customer(active.contact_id), of_contract(active))
    assert await told(client, users.customer(leaving.contact_id), of_contract(leaving)) == {
        "de": "„Aktion cancel“ ist zurzeit nicht möglich. Status muss „Aktiv“ sein.",
        "en": "“Action cancel” is not possible at the moment. Status must be “Active”.",
    }


@pytest.mark.parametrize(("day", "allowed"), [("2026-11-09", True), ("2026-11-10", False), (None, False)])
async def test_a_rule_on_a_date(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, day: str | None, allowed: bool
) -> None:
    """It is the 10th of November 2026."""
    home = await move_in(elsewhere, **({"price_fixed_until": day} if day else {}))
    headers = users.customer(home.contact_id)
    assert ("reprice" in await offered(client, home, headers)) == allowed
    if allowed:
        assert (await issued(client, elsewhere, headers, of_contract(home, "reprice"))).action == "reprice"
    else:
        sentences = await told(client, headers, of_contract(home, "reprice"))
        assert sentences["de"].endswith("Preis fest bis muss in der Vergangenheit liegen.")
        assert sentences["en"].endswith("Price fixed until must be in the past.")


async def test_of_what_the_user_may_not_see_nothing_is_told(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere, contact_card_valid_until="2020-05-17")
    sentences = await told(client, users.customer(home.contact_id), of_contract(home, "secret"))
    assert sentences["de"].endswith("Die Voraussetzungen dafür sind nicht erfüllt.")
    assert not any("2020" in sentence or "card" in sentence.lower() for sentence in sentences.values())
    valid = await move_in(elsewhere, contact_card_valid_until="2030-05-17")
    assert (await issued(client, elsewhere, users.customer(valid.contact_id), of_contract(valid, "secret"))).action


async def test_the_rules_of_an_installer_ask_for_himself(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    expired = await move_in(elsewhere, contact_card_valid_until="2026-11-09")
    valid = await move_in(elsewhere, contact_card_valid_until="2026-11-11")
    for installer, allowed in ((expired, False), (valid, True)):
        home = await move_in(elsewhere, installer=installer.contact_id)
        headers = users.installer(installer.contact_id)
        assert await offered(client, home, headers) == ({"meter"} if allowed else set())
        answer = await client.post("/tickets", headers=headers, json=of_contract(home, "meter"))
        assert answer.status_code == (201 if allowed else 403)
        assert (await refused(client, headers, of_contract(home, "cancel"))) == (404, "action_not_found")
        assert (await refused(client, headers, of_contract(installer, "meter"))) == (404, "record_not_found")


async def test_only_for_the_own_record(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
    headers = users.customer(home.contact_id)
    answers = []
    for id_ in (neighbour.contract_id, "nowhere"):
        wanted = {"action": "cancel", "record": {"entity": "contract", "id": id_}}
        response = await client.post("/tickets", headers=headers, json=wanted)
        own = {"instance", "correlation_id"}
        answers.append({name: value for name, value in response.json().items() if name not in own})
    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["code"]) == (404, "record_not_found")
    meter = {"action": "cancel", "record": {"entity": "meter", "id": home.contract_id}}
    assert await refused(client, headers, meter) == (404, "record_not_found")


async def test_at_the_contacts_own_page(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
    headers = users.customer(home.contact_id)
    own = {"action": "details", "record": {"entity": "contact", "id": home.contact_id}}
    assert (await issued(client, elsewhere, headers, own)).context == RecordRef(entity="contact", id=home.contact_id)
    others = {"action": "details", "record": {"entity": "contact", "id": neighbour.contact_id}}
    assert await refused(client, headers, others) == (404, "record_not_found")
    assert await refused(client, headers, of_contract(home, "details")) == (403, "action_not_available")


async def test_what_is_not_offered_cannot_be_begun(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    headers = users.customer(home.contact_id)
    assert await refused(client, headers, of_contract(home, "nothing")) == (404, "action_not_found")
    assert await refused(client, headers, of_contract(home, "unpublished")) == (409, "journey_not_available")


async def test_a_task_of_ones_own(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
    instance = uuid.uuid4().hex
    name, contract = stream("process", instance), home.contract_id
    task = {"task": {"instance_id": instance, "step_id": PROOF}}
    check = {"task": {"instance_id": instance, "step_id": CHECK}}
    headers = users.customer(home.contact_id)
    begun: list[Event] = [started(instance, contract), *turn(instance, contract, CHECK, home.contact_id)]
    await home.happens((name, begun))
    assert await refused(client, headers, check) == (409, "task_without_journey")
    assert await refused(client, headers, task) == (404, "task_not_found")
    await home.happens((name, [done(instance, contract, CHECK), *turn(instance, contract, PROOF, home.contact_id)]))
    ticket = await issued(client, elsewhere, headers, task)
    assert (ticket.journey_id, ticket.action) == ("upload_proof", None)
    assert ticket.task == TaskRef(instance_id=instance, step_id=PROOF)
    assert ticket.context == RecordRef(entity="contract", id=contract)
    assert await refused(client, users.customer(neighbour.contact_id), task) == (404, "task_not_found")
    await home.happens((name, said_done(instance, contract, PROOF, home.contact_id)))
    assert await refused(client, headers, task) == (409, "task_not_open")


async def test_a_withdrawn_journey_is_neither_offered_nor_opened(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    operator, portal = users.role("operator"), f"p-{uuid.uuid4().hex[:8]}"
    document = (await client.get("/portals/customers", headers=operator)).json()
    gone = document["actions"][0] | {"journey": "gone", "id": "gone"}
    document |= {"portal": portal, "actions": [gone], "links": []}
    put = await client.put(f"/portals/{portal}", headers=operator, json=document)
    assert put.json()["warnings"] == []
    headers = users.customer(home.contact_id, portal) | {"Portico-Position": put.headers["Portico-Position"]}
    assert await offered(client, home, headers) == {"gone"}
    assert (await issued(client, elsewhere, headers, of_contract(home, "gone"))).portal_id == portal
    await home.happens((stream("journey", "gone"), [WITHDRAWN]))
    assert await offered(client, home, headers) == set()
    assert await refused(client, headers, of_contract(home, "gone")) == (409, "journey_not_available")


async def test_who_gets_none(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home = await move_in(elsewhere)
    wanted = of_contract(home)
    for role in ("staff", "operator", "erp", "gateway"):
        assert await refused(client, users.role(role), wanted) == (403, "forbidden"), role
    assert (await client.post("/tickets", json=wanted)).status_code == 401
    waiting = users.header(Principal("customer", "user/x", None, "customers"))
    assert await refused(client, waiting, wanted) == (403, "not_assigned")
    assert await refused(client, waiting, {"task": {"instance_id": "x", "step_id": "y"}}) == (403, "not_assigned")
    assert await refused(client, users.customer(home.contact_id, "closed"), wanted) == (403, "portal_disabled")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"action": "cancel"},
        {"record": {"entity": "contract", "id": "x"}},
        {"action": "cancel", "record": {"entity": "contract", "id": "x"}, "task": {"instance_id": "i", "step_id": "s"}},
        {"action": "cancel", "task": {"instance_id": "i", "step_id": "s"}},
        {"task": {"instance_id": "i", "step_id": "s", "more": 1}},
        {"task": {"instance_id": "i" * 200, "step_id": "s"}},
    ],
)
async def test_either_an_action_or_a_task(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, wanted: dict[str, Any]
) -> None:
    assert await refused(client, users.customer("anna"), wanted) == (422, "invalid_request")
