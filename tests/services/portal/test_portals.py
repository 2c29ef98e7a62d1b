"""Portals over HTTP: documents in and out, guarded by their version, and an OpenAPI document that says it all."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import httpx
from openapi_spec_validator import validate

import services.portal
from chassis.testing import RunningService
from services.portal.app import TEXTS
from services.portal.configuration.document import EXAMPLE
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.documents import link
from tests.services.portal.test_configuration import DOCUMENT

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" /></svg>'
RAISED = re.compile(r"(?:Rejected|NotFound|Forbidden)\(\s*\"([a-z_]+)\"")
READS = ("/me", "/contracts", "/processes", "/tasks", "/requests", "/documents", "/notices", "/staff")


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
    assert got.json() | {"warnings": []} == put.json()
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
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert {mistake["path"] for mistake in refused.json()["mistakes"]} == {"instalments.minimun_cents"}
    refused = await client.put(path, json=wanted | {"url": "nowhere"}, headers=headers)
    (mistake,) = refused.json()["mistakes"]
    assert (refused.status_code, mistake["path"]) == (422, "url")
    assert "muss eine Adresse" in mistake["detail"]
    assert (await client.get(path, headers=headers)).status_code == 404
    listed = await client.put(path, json=[], headers=headers)
    assert (listed.status_code, listed.json()["code"]) == (422, "invalid_document")
    other = await client.put(path, json=wanted | {"portal": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_portal_id")
    assert "other" in other.json()["detail"]


async def test_the_document_of_the_formats_is_taken_and_given_back(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    headers = {**users.role("staff"), "Accept-Language": "de"}
    path, wanted = document(**{name: value for name, value in EXAMPLE.items() if name != "portal"})
    wanted["actions"] = [*wanted["actions"], wanted["actions"][0] | {"id": "other", "journey": "nowhere"}]
    put = await client.put(path, json=wanted, headers=headers)
    (warning,) = put.json()["warnings"]
    assert (put.status_code, warning["path"]) == (200, "actions.1.journey")
    assert "nowhere" in warning["detail"]
    got = await client.get(path, headers=headers)
    assert got.json()["permissions"]["contract"]["see"] == ["general", "cancellation"]
    again = await client.put(path, json=got.json(), headers=headers)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')
    wrong = wanted | {"permissions": {"contract": {"see": ["nothing"]}}}
    refused = await client.put(path, json=wrong, headers=headers)
    assert [each["path"] for each in refused.json()["mistakes"]] == ["permissions.contract.see.0"]


async def test_what_everybody_may_know_of_a_portal(client: httpx.AsyncClient, users: Users) -> None:
    texts = {"start.welcome": {"de": "Willkommen!", "en": "Welcome!"}}
    path, wanted = document(design={"brand": "#f2b705", "logo": LOGO}, texts=texts)
    put = await client.put(path, json=wanted, headers=users.role("staff"))
    for headers in (users.role("gateway"), users.customer(None)):
        appearance = await client.get(f"{path}/appearance", headers=headers)
        shown = appearance.json()
        assert (shown["brand"]["colour"], shown["brand"]["on"]) == ("#f2b705", "#000000")
        assert (shown["logo"], shown["texts"], shown["registration_open"]) == (LOGO, texts, True)
        assert not {"permissions", "actions", "instalments"} & shown.keys()
    assert (await client.get(f"{path}/appearance")).status_code == 401
    seen = {**users.role("gateway"), "Portico-Position": put.headers["Portico-Position"]}
    every = await client.get("/appearances", headers=seen)
    assert shown in every.json()["items"]
    unchanged = {**seen, "If-None-Match": every.headers["ETag"]}
    assert (await client.get("/appearances", headers=unchanged)).status_code == 304
    assert (await client.get("/appearances", headers=users.role("customer"))).status_code == 403
    nowhere = await client.get("/portals/nowhere/appearance", headers=users.role("gateway"))
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "portal_not_found")


async def test_links_for_everybody_are_those_that_need_no_rule(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    wanted = [
        link("outage", "https://example.org/outage"),
        link("gas", "https://example.org/gas", {"contact.customer_number": {"exists": True}}),
        link("order", "journey:order"),
        link("private", "journey:cancellation"),
        link("nowhere", "journey:nowhere"),
        link("meter", "https://example.org/meter", place="contract"),
    ]
    path, body = document(links=wanted)
    put = await client.put(path, json=body, headers=users.role("staff"))
    assert put.status_code == 200, put.text
    headers = {**users.role("gateway"), "Portico-Position": put.headers["Portico-Position"]}
    alone = (await client.get(f"{path}/appearance", headers=headers)).json()["links"]
    assert [(each["id"], each["to"]) for each in alone] == [
        ("outage", "https://example.org/outage"),
        ("order", "journey:order"),
    ]
    assert alone[0]["title"] == {"de": "outage", "en": "outage"}
    every = (await client.get("/appearances", headers=headers)).json()["items"]
    assert [each["links"] for each in every if each["portal"] == body["portal"]] == [alone]


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
            if path.startswith(READS) and method == "get":
                assert "304" in operation["responses"], told
                assert "ETag" in operation["responses"]["200"]["headers"], told
                assert any(part["name"].lower() == "portico-position" for part in operation["parameters"]), told
    examples = {name for name, schema in api["components"]["schemas"].items() if "example" in schema}
    assert {"Contract", "BillingEvent", "PortalDocument", "InstalmentsDocument", "ShownTask"} <= examples
    body = api["paths"]["/portals/{portal_id}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].removeprefix("#/components/schemas/") in api["components"]["schemas"]


def test_every_code_of_the_portal_has_a_sentence() -> None:
    sources = (path.read_text() for path in Path(services.portal.__file__).parent.rglob("*.py"))
    found = {code for source in sources for code in RAISED.findall(source)}
    assert {"portal_not_found", "not_assigned", "task_not_open", "portal_disabled"} <= found
    assert found - set(TEXTS.sentences) <= {"forbidden"}
