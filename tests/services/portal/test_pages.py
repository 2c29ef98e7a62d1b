"""The read-model API on real PostgreSQL and Kafka: who sees what, in which order, how fresh, how often."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.auth import Principal, generate_key
from chassis.errors import Conflict
from chassis.log import Connection
from chassis.testing import RunningService
from chassis.views import ViewHandler, ViewReader
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from contracts.ids import stream
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, ContactDoc
from tests.services.portal.conftest import Elsewhere, Users, reached
from tests.services.portal.events import (
    LOWER,
    TODAY,
    billed,
    changed,
    confirmed,
    contact_created,
    contract_created,
    enveloped,
    plan_set,
    refused,
)
from tests.services.portal.homes import Headers, get, move_in


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
    other = await move_in(elsewhere)
    (listed,) = (await get(client, "/contracts", users.customer(other.contact_id)))["items"]
    assert (listed["balance"]["amount_cents"], listed["next_payment"]) == (0, None)


async def test_an_installer_is_told_nothing_of_payments(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    installer = uuid.uuid4().hex
    home = await move_in(elsewhere, installer=installer)
    await home.happens(
        (stream("instalments", home.contract_id), [plan_set(home.contract_id), changed(home.contract_id)]),
        (
            stream("billing_event", home.contract_id),
            [billed(home.contract_id, "late", TODAY - timedelta(days=1), amount_cents=5_000)],
        ),
    )
    path, his = f"/contracts/{home.contract_id}", users.installer(installer)
    as_he = {"portal_id": "installers", "contact_id": installer}
    for headers, asked in ((his, {}), (users.role("staff"), as_he)):
        page = await get(client, path, headers, **asked)
        (listed,) = (await get(client, "/contracts", headers, **asked))["items"]
        for shown in (page, listed):
            assert (shown["balance"], shown["next_payment"]) == (None, None)
        assert page["billing_events"] == []
        assert page["instalments"] == {"plan": None, "pending": None, "last_decision": None}
        for events in (f"{path}/billing-events", "/contracts/nowhere/billing-events", "/billing-events"):
            answer = await client.get(events, headers={**headers, "Accept-Language": "en"}, params=asked)
            assert (answer.status_code, answer.json()["code"]) == (403, "payments_not_shown"), events
            assert "customer only" in answer.json()["detail"]
    page = await get(client, path, users.customer(home.contact_id))
    assert (page["balance"]["amount_cents"], len(page["billing_events"])) == (5_000, 1)
    assert page["instalments"]["pending"] is not None


async def test_billing_events_of_all_contracts(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home, strangers = await move_in(elsewhere), await move_in(elsewhere)
    second = uuid.uuid4().hex
    await home.happens(
        (stream("contract", second), [contract_created(second, "V-2", home.contact_id)]),
        (
            stream("billing_event", home.contract_id),
            [
                billed(home.contract_id, "paid", TODAY - timedelta(days=5), paid_on=TODAY),
                billed(home.contract_id, "soon", TODAY + timedelta(days=5)),
            ],
        ),
        (stream("billing_event", second), [billed(second, "late", TODAY - timedelta(days=9))]),
        (
            stream("billing_event", strangers.contract_id),
            [billed(strangers.contract_id, "theirs", TODAY - timedelta(days=1))],
        ),
    )
    headers = users.customer(home.contact_id)

    async def listed(**parameters: Any) -> list[tuple[str, str, bool]]:
        found: list[tuple[str, str, bool]] = []
        cursor: dict[str, str] = {}
        for _ in range(4):
            page = await get(client, "/billing-events", headers, **parameters, **cursor)
            found += [(each["contract_number"], each["external_id"], each["overdue"]) for each in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        return found

    late, soon, paid = ("V-2", "late", True), ("V-1", "soon", False), ("V-1", "paid", False)
    for limit in (1, 2, 50):
        assert await listed(limit=limit) == [late, soon, paid]
        assert await listed(limit=limit, status="open") == [late, soon]
        assert await listed(limit=limit, status="closed") == [paid]
    assert (await get(client, "/billing-events", users.customer(None)))["items"] == []
    no_contact = await client.get("/billing-events", headers=users.role("staff"))
    assert (no_contact.status_code, no_contact.json()["code"]) == (422, "invalid_for_staff")


async def test_billing_events_overdue_first_then_latest_due(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    days = {"a": -3, "b": -40, "c": 10, "d": -1, "e": 0, "f": -3}
    events = [
        billed(home.contract_id, name, TODAY + timedelta(days=shift), paid_on=TODAY if name == "d" else None)
        for name, shift in days.items()
    ]
    position = await elsewhere.say(
        stream("billing_event", home.contract_id),
        *events,
        billed(home.contract_id, "g", TODAY - timedelta(days=2), credit=True),
    )
    path = f"/contracts/{home.contract_id}/billing-events"
    headers = {**users.customer(home.contact_id), "Portico-Position": str(position)}
    whole = await get(client, path, headers)
    assert [(item["external_id"], item["overdue"]) for item in whole["items"]] == [
        ("f", True),
        ("a", True),
        ("b", True),
        ("c", False),
        ("e", False),
        ("d", False),
        ("g", False),
    ]
    assert whole["next"] is None
    for limit in (1, 2, 3, 6):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(8):
            page = await get(client, path, headers, limit=limit, **cursor)
            seen += [item["external_id"] for item in page["items"]]
            if page["next"] is None:
                break
            assert len(page["items"]) == limit
            cursor = {"cursor": page["next"]}
        assert seen == list("fabcedg"), limit


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


@pytest.mark.parametrize(
    "cursor", ["x", "WzFd", "W10", "WyJhIiwiYiJd", "bnVsbA", "Ä", "WyJ4Iiwib3RoZXJzIiwiYSIsImIiXQ"]
)
async def test_a_cursor_that_we_did_not_write(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, cursor: str
) -> None:
    home = await move_in(elsewhere)
    path = f"/contracts/{home.contract_id}/billing-events"
    response = await client.get(path, headers=users.role("staff"), params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


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


OWNER, OTHER, NOBODY = "owner", "other", "no contact"
STAFF, OPERATOR, ERP, GATEWAY = "staff", "operator", "erp", "gateway"
ANONYMOUS, EXPIRED, FORGED = "anonymous", "expired", "forged"
SEES: dict[str, dict[str, int]] = {
    "/me": {OWNER: 200, OTHER: 200, NOBODY: 200, STAFF: 200, OPERATOR: 200},
    "/contracts": {OWNER: 200, OTHER: 200, NOBODY: 200, STAFF: 200, OPERATOR: 200},
    "/contracts?contact_id={contact}": {OWNER: 200, STAFF: 200, OPERATOR: 200},
    "/contracts/{contract}": {OWNER: 200, OTHER: 404, STAFF: 200, OPERATOR: 200},
    "/contracts/{contract}/billing-events": {OWNER: 200, OTHER: 404, STAFF: 200, OPERATOR: 200},
    "/contracts/nowhere": {OWNER: 404, OTHER: 404, STAFF: 404, OPERATOR: 404},
    "/contracts/nowhere/billing-events": {OWNER: 404, OTHER: 404, STAFF: 404, OPERATOR: 404},
    "/portals": {STAFF: 200, OPERATOR: 200},
    "/portals/nowhere": {STAFF: 404, OPERATOR: 404},
}
WRITES: dict[str, dict[str, int]] = {
    "/portals/nowhere": {STAFF: 422, OPERATOR: 422},
    "/portals/nowhere/instalments": {STAFF: 404, OPERATOR: 404},
}


@pytest.mark.parametrize("who", [OWNER, OTHER, NOBODY, STAFF, OPERATOR, ERP, GATEWAY, ANONYMOUS, EXPIRED, FORGED])
async def test_who_sees_what(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, who: str) -> None:
    home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
    owner = Principal("customer", "owner", home.contact_id, "customers")
    headers: dict[str, Headers] = {
        OWNER: users.header(owner),
        OTHER: users.customer(neighbour.contact_id),
        NOBODY: users.customer(None),
        ANONYMOUS: {},
        EXPIRED: users.header(owner, timedelta(minutes=-5)),
        FORGED: Users(generate_key()).header(owner),
        **{role: users.role(role) for role in (STAFF, OPERATOR, ERP, GATEWAY)},
    }
    refused_as = 401 if who in {ANONYMOUS, EXPIRED, FORGED} else 403
    for template, expected in SEES.items():
        path = template.format(contract=home.contract_id, contact=home.contact_id)
        response = await client.get(path, headers=headers[who])
        assert response.status_code == expected.get(who, refused_as), (who, path, response.text)
        if path == "/contracts" and who in {OWNER, OTHER, NOBODY}:
            own = {OWNER: {home.contract_id}, OTHER: {neighbour.contract_id}, NOBODY: set()}
            assert {item["id"] for item in response.json()["items"]} == own[who]
    for path, expected in WRITES.items():
        response = await client.put(path, headers=headers[who], json={})
        assert response.status_code == expected.get(who, refused_as), (who, path, response.text)


async def test_somebody_elses_contract_is_like_none(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    for suffix in ("", "/billing-events"):
        theirs = await client.get(f"/contracts/{home.contract_id}{suffix}", headers=users.customer("somebody"))
        none = await client.get(f"/contracts/nowhere{suffix}", headers=users.customer("somebody"))
        answers = [
            {name: value for name, value in response.json().items() if name not in {"instance", "correlation_id"}}
            for response in (theirs, none)
        ]
        assert answers[0] == answers[1]
        own = ("x-correlation-id", "traceparent", "content-length")
        kept = [{k: v for k, v in response.headers.items() if k not in own} for response in (theirs, none)]
        assert kept[0] == kept[1]


async def test_a_page_of_billing_events_reads_no_more_than_it_shows(portal: RunningService) -> None:
    """The planner goes along the index and stops; it neither scans nor sorts what the page does not show."""
    table = BILLING_EVENTS.table
    async with portal.service.pool.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute(
            f"INSERT INTO {table} (key, doc) SELECT c || '/' || n, jsonb_build_object("  # noqa: S608 our own names
            "'contract_id', 'many' || c, 'status', CASE n % 3 WHEN 0 THEN 'open' ELSE 'closed' END, "
            "'direction', 'debit', 'due_on', (date '2026-11-10' - n)::text) "
            "FROM generate_series(1, 20) c, generate_series(1, 1000) n"
        )
        await connection.execute(f"ANALYZE {table}")
        for condition in ("{overdue}", "NOT {overdue}"):
            overdue = "(doc->>'status' = 'open' AND doc->>'direction' = 'debit' AND doc->>'due_on' < '2026-11-10')"
            where = f"doc->>'contract_id' = 'many7' AND {condition.format(overdue=overdue)}"
            cursor = await connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT doc FROM {table} WHERE {where} "  # noqa: S608 our own names
                "ORDER BY doc->>'due_on' DESC, key DESC LIMIT 21"
            )
            row = await cursor.fetchone()
            assert row is not None
            nodes = list(_nodes(row[0][0]["Plan"]))
            assert [node["Node Type"] for node in nodes] == ["Limit", "Index Scan"], nodes
            assert nodes[1]["Actual Rows"] + nodes[1].get("Rows Removed by Filter", 0) < 100


async def test_two_instances_that_make_the_same_document_lose_nothing(portal: RunningService) -> None:
    """A contact and his contract stand in different partitions: the second to write sees that it was not the first."""
    handler, contact_id = ViewHandler(CONTACTS), uuid.uuid4().hex
    own, contract = enveloped(contact_created(contact_id)), enveloped(contract_created("c", "V-1", contact_id))
    async with portal.service.pool.connection() as first, portal.service.pool.connection() as second:
        async with first.transaction():
            await handler.apply(first, [own])
            late = asyncio.create_task(_applied(handler, second, contract))
            await asyncio.wait([late], timeout=0.3)
            assert not late.done()
        with pytest.raises(Conflict):
            await late
        await _applied(handler, second, contract)
    document = await ViewReader(CONTACTS, portal.service.pool).get(contact_id)
    assert document is not None
    assert set(document.personal) == {contact_id, "c"}


async def _applied(handler: ViewHandler[ContactDoc], connection: Connection, envelope: Envelope) -> None:
    async with connection.transaction():
        await handler.apply(connection, [envelope])


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]
