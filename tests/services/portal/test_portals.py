"""Portals over HTTP: documents in and out, guarded by their version, and an OpenAPI document that says it all."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from openapi_spec_validator import validate

from chassis.testing import RunningService
from services.portal.app import TEXTS
from tests.services.portal.conftest import Users
from tests.services.portal.test_configuration import DOCUMENT


def document(**change: Any) -> tuple[str, dict[str, Any]]:
    portal_id = f"portal-{uuid.uuid4().hex[:8]}"
    return f"/portals/{portal_id}", DOCUMENT | {"portal": portal_id} | change


async def test_configured_read_and_listed(client: httpx.AsyncClient, users: Users) -> None:
    path, wanted = document()
    headers = users.role("operator")
    put = await client.put(path, json=wanted, headers=headers)
    assert (put.status_code, put.headers["ETag"]) == (200, '"1"')
    got = await client.get(path, headers=headers)
    assert got.headers["ETag"] == '"1"'
    assert got.json() == put.json()
    assert got.json()["instalments"]["by_contract_type"] == wanted["instalments"]["by_contract_type"]
    fresh = {**headers, "Portico-Position": put.headers["Portico-Position"]}
    listed = await client.get("/portals", headers=fresh, params={"limit": 200})
    assert got.json() in listed.json()["items"]


async def test_what_was_read_can_be_written_back_without_an_event(client: httpx.AsyncClient, users: Users) -> None:
    path, wanted = document()
    headers = users.role("staff")
    await client.put(path, json=wanted, headers=headers)
    again = await client.put(path, json=(await client.get(path, headers=headers)).json(), headers=headers)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')


async def test_instalment_rules_are_set_alone(client: httpx.AsyncClient, users: Users) -> None:
    path, wanted = document()
    headers = users.role("staff")
    await client.put(path, json=wanted, headers=headers)
    put = await client.put(f"{path}/instalments", json={"once_per_days": None}, headers=headers)
    assert put.headers["ETag"] == '"2"'
    now = (await client.get(path, headers=headers)).json()
    assert (now["instalments"]["once_per_days"], now["instalments"]["by_contract_type"]) == (None, {})
    assert now["name"] == wanted["name"]


async def test_somebody_else_was_faster(client: httpx.AsyncClient, users: Users) -> None:
    path, wanted = document()
    headers = users.role("staff")
    await client.put(path, json=wanted, headers=headers)
    seen = {**headers, "If-Match": '"1"'}
    assert (await client.put(path, json=wanted | {"url": "https://a.example"}, headers=seen)).status_code == 200
    late = await client.put(path, json=wanted | {"url": "https://b.example"}, headers=seen)
    assert (late.status_code, late.json()["code"], late.json()["actual_version"]) == (412, "precondition_failed", 2)


async def test_mistakes_are_named(client: httpx.AsyncClient, users: Users) -> None:
    path, wanted = document()
    headers = {**users.role("staff"), "Accept-Language": "de"}
    wrong = wanted | {"url": "nowhere", "instalments": {"minimun_cents": 1}}
    refused = await client.put(path, json=wrong, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert {mistake["path"] for mistake in refused.json()["errors"]} == {"body.url", "body.instalments.minimun_cents"}
    other = await client.put(path, json=wanted | {"portal": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_portal_id")
    assert "other" in other.json()["detail"]


async def test_portals_are_paged(client: httpx.AsyncClient, users: Users) -> None:
    headers = users.role("operator")
    ids = []
    for _ in range(3):
        path, wanted = document()
        ids.append(wanted["portal"])
        put = await client.put(path, json=wanted, headers=headers)
        await client.get("/portals", headers={**headers, "Portico-Position": put.headers["Portico-Position"]})
    seen: list[str] = []
    cursor = ""
    for _ in range(50):
        page = (await client.get("/portals", headers=headers, params={"limit": 2, "cursor": cursor})).json()
        seen += [item["portal"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == sorted(set(seen))
    assert set(ids) <= set(seen)


async def test_openapi_is_complete(portal: RunningService) -> None:
    api = portal.service.http.openapi()
    validate(api)
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            told = f"{method} {path}"
            assert operation.get("summary"), told
            ((status, success),) = [one for one in operation["responses"].items() if one[0].startswith("20")]
            assert status == "204" or success["content"]["application/json"]["schema"], told
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], told
            assert "422" not in operation["responses"], told
            if not path.startswith("/health"):
                assert operation.get("security"), told
            if path.startswith(("/me", "/contracts")):
                assert "304" in operation["responses"], told
                assert "ETag" in operation["responses"]["200"]["headers"], told
                assert any(part["name"].lower() == "portico-position" for part in operation["parameters"]), told
    examples = {name for name, schema in api["components"]["schemas"].items() if "example" in schema}
    assert {"Contract", "BillingEvent", "PortalDocument", "InstalmentsDocument"} <= examples


def test_every_code_of_the_portal_has_a_sentence() -> None:
    for code in ("portal_not_found", "invalid_portal_id", "contract_not_found", "invalid_cursor"):
        assert code in TEXTS
