"""What customers read of themselves and their contracts: how it follows events, in which order, how fresh."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from chassis.auth import Principal
from contracts.base import Event
from contracts.identity import PersonErased
from contracts.ids import stream
from tests.services.portal.conftest import Elsewhere, Users, reached
from tests.services.portal.events import LOWER, TODAY, billed, changed, confirmed, contract_created, plan_set, refused
from tests.services.portal.happenings import cancellation_confirmed, cancelled, withdrawn
from tests.services.portal.homes import get, move_in


async def test_me(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home = await move_in(elsewhere)
    acting = Principal("customer", "anna", home.contact_id, "customers", actor="staff/7")
    me = await get(client, "/me", users.header(acting))
    assert (me["subject"], me["role"], me["portal_id"], me["actor"]) == ("anna", "customer", "customers", "staff/7")
    assert (me["contact"]["first_name"], me["contact"]["customer_number"]) == ("Anna", f"K-{home.contact_id}")
    assert (await get(client, "/me", users.customer(None)))["contact"] is None
    assert (await get(client, "/me", users.customer("nobody")))["contact"] is None


async def test_an_erased_person_is_nowhere(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home = await move_in(elsewhere)
    page = await get(client, f"/contracts/{home.contract_id}", users.customer(home.contact_id))
    assert page["delivery"] == {"street": "Lindenallee 4", "postcode": None, "city": "Lindenau"}
    person = f"contact/{home.contact_id}"
    position = await elsewhere.say(stream("person", home.contact_id), PersonErased(person=person, reason="his wish"))
    fresh = {**users.customer(home.contact_id), "Portico-Position": str(position)}
    me = await get(client, "/me", fresh)
    assert (me["contact"]["erased"], me["contact"]["last_name"]) == (True, None)
    assert (await get(client, f"/contracts/{home.contract_id}", fresh))["delivery"] is None


async def test_the_page_of_a_contract_follows_a_change(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    path, headers, name = f"/contracts/{home.contract_id}", users.customer(home.contact_id), home.contract_id
    page = await get(client, path, headers)
    assert page["contract"] == {
        "id": home.contract_id,
        "number": "V-1",
        "division": "electricity",
        "product": "Strom",
        "status": "active",
        "starts_on": "2024-03-01",
        "ends_on": None,
        "in_words": {
            "division": {"de": "electricity", "en": "electricity"},
            "status": {"de": "Aktiv", "en": "Active"},
        },
    }
    assert page["instalments"] == {"plan": None, "pending": None, "last_decision": None}

    async def after(*events: Any) -> Any:
        position = await elsewhere.say(stream("instalments", name), *events)
        return (await get(client, path, {**headers, "Portico-Position": str(position)}))["instalments"]

    requested = await after(plan_set(name), changed(name))
    assert (requested["plan"]["amount_cents"], requested["pending"]["amount_cents"]) == (9_500, 8_500)
    assert requested["pending"]["requested_at"] == "2026-11-10T09:30:00Z"
    taken_over = await after(confirmed(name))
    assert (taken_over["plan"]["amount_cents"], taken_over["pending"]) == (8_500, None)
    assert taken_over["plan"]["schedule"] == [item.model_dump(mode="json") for item in LOWER]
    again = await after(changed(name, "c2"), refused(name, "c2"))
    assert (again["pending"], again["last_decision"]["status"]) == (None, "refused")
    assert again["last_decision"]["reason"] == "Der Zähler wurde noch nicht abgelesen."


async def test_the_balance(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home = await move_in(elsewhere)
    yesterday = TODAY - timedelta(days=1)
    position = await elsewhere.say(
        stream("billing_event", home.contract_id),
        billed(home.contract_id, "late", yesterday, amount_cents=5_000),
        billed(home.contract_id, "today", TODAY, amount_cents=300),
        billed(home.contract_id, "paid", yesterday, paid_on=TODAY),
        billed(home.contract_id, "bonus", yesterday, credit=True, amount_cents=1_000),
        billed(home.contract_id, "francs", yesterday, currency="CHF"),
    )
    headers = {**users.customer(home.contact_id), "Portico-Position": str(position)}
    page = await get(client, f"/contracts/{home.contract_id}", headers)
    assert page["balance"] == {"currency": "EUR", "amount_cents": 4_300, "overdue_cents": 5_000}
    assert [event["external_id"] for event in page["billing_events"]] == ["late", "francs", "today", "paid", "bonus"]
    assert [event["overdue"] for event in page["billing_events"]] == [True, True, False, False, False]


async def test_listed_contracts_say_what_is_to_be_paid(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    await home.happens(
        (stream("instalments", home.contract_id), [plan_set(home.contract_id)]),
        (
            stream("billing_event", home.contract_id),
            [billed(home.contract_id, "late", TODAY - timedelta(days=1), amount_cents=5_000)],
        ),
    )
    (listed,) = (await get(client, "/contracts", users.customer(home.contact_id)))["items"]
    assert listed["balance"] == {"currency": "EUR", "amount_cents": 5_000, "overdue_cents": 5_000}
    assert listed["next_payment"] == {"due_on": "2026-12-15", "amount_cents": 9_500, "currency": "EUR"}
    page = await get(client, f"/contracts/{home.contract_id}", users.customer(home.contact_id))
    assert page["next_payment"] == listed["next_payment"]
    assert page["coming_instalments"][0] == {"due_on": "2026-12-15", "amount_cents": 9_500}
    other = await move_in(elsewhere)
    (listed,) = (await get(client, "/contracts", users.customer(other.contact_id)))["items"]
    assert (listed["balance"]["amount_cents"], listed["next_payment"]) == (0, None)


@pytest.mark.parametrize(("last_day", "due"), [(date(2027, 1, 14), ["2026-12-15"]), (date(2026, 12, 14), [])])
async def test_behind_the_end_of_a_contract_nothing_is_to_be_paid(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, last_day: date, due: list[str]
) -> None:
    for ends_on in (None, str(last_day)):
        home = await move_in(elsewhere, ends_on=ends_on)
        await home.happens((stream("instalments", home.contract_id), [plan_set(home.contract_id)]))
        if ends_on is None:
            ends: list[Event] = [cancelled(home.contract_id), cancellation_confirmed(home.contract_id, last_day)]
            await home.happens((stream("cancellation", home.contract_id), ends))
        page = await get(client, f"/contracts/{home.contract_id}", users.customer(home.contact_id))
        assert [item["due_on"] for item in page["coming_instalments"]] == due
        assert (page["next_payment"] or {}).get("due_on") == (due[0] if due else None)
    (listed,) = (await get(client, "/contracts", users.customer(home.contact_id)))["items"]
    assert listed["next_payment"] == page["next_payment"]


async def test_a_cancellation_that_is_withdrawn_ends_nothing(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    ends: list[Event] = [cancelled(home.contract_id, ends_on=TODAY), withdrawn(home.contract_id)]
    await home.happens(
        (stream("instalments", home.contract_id), [plan_set(home.contract_id)]),
        (stream("cancellation", home.contract_id), ends),
    )
    page = await get(client, f"/contracts/{home.contract_id}", users.customer(home.contact_id))
    assert [item["due_on"] for item in page["coming_instalments"]] == ["2026-12-15", "2027-01-15"]


async def test_contracts_are_paged_by_number(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    contact_id = uuid.uuid4().hex
    for number in ("V-3", "V-1", "V-2"):
        contract_id = uuid.uuid4().hex
        event = contract_created(contract_id, number, contact_id)
        await reached(elsewhere.portal, await elsewhere.say(stream("contract", contract_id), event))
    headers = users.customer(contact_id)
    first = await get(client, "/contracts", headers, limit=2)
    assert [item["number"] for item in first["items"]] == ["V-1", "V-2"]
    second = await get(client, "/contracts", headers, limit=2, cursor=first["next"])
    assert ([item["number"] for item in second["items"]], second["next"]) == (["V-3"], None)
    by_staff = await get(client, "/contracts", users.role("staff"), contact_id=contact_id)
    assert [item["number"] for item in by_staff["items"]] == ["V-1", "V-2", "V-3"]
    everybody = await get(client, "/contracts", users.role("staff"), limit=200)
    assert {item["id"] for item in by_staff["items"]} < {item["id"] for item in everybody["items"]}


async def test_what_has_not_changed_is_not_sent_again(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    headers = users.customer(home.contact_id)
    base = f"/contracts/{home.contract_id}"
    for path in ("/me", "/contracts", base, f"{base}/billing-events"):
        first = await client.get(path, headers=headers)
        again = await client.get(path, headers={**headers, "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path
    tag = (await client.get(base, headers=headers)).headers["ETag"]
    position = await elsewhere.say(stream("instalments", home.contract_id), plan_set(home.contract_id))
    changed_page = await client.get(base, headers={**headers, "If-None-Match": tag, "Portico-Position": str(position)})
    assert changed_page.status_code == 200
    assert changed_page.headers["Portico-Position-Reached"] == "true"


async def test_a_position_that_never_comes_is_said(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    headers = {**users.customer(home.contact_id), "Portico-Position": f"entities/{home.position.shard}:999999"}
    response = await client.get("/contracts", headers=headers)
    assert (response.status_code, response.headers["Portico-Position-Reached"]) == (200, "false")
