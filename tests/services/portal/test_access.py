"""Who sees what of contracts and payments: their owners and staff, and nobody learns what there is of others."""

from __future__ import annotations

import uuid
from datetime import timedelta

import httpx
import pytest

from chassis.auth import Principal, generate_key
from contracts.ids import stream
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.events import TODAY, billed, changed, plan_set
from tests.services.portal.homes import Headers, get, move_in


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
