"""What portal users see and change of their records through HTTP; relations and the history of a record for staff."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from chassis.auth import Principal
from chassis.testing import RunningService
from contracts.common import Text
from contracts.ids import record_id
from contracts.portal import InstalmentSettings, Permission, PortalConfigured
from tests.services.entities.conftest import Others, headers_of

NAME = Text(de="Mein Lindenau", en="My Lindenau")
ANNA, BEN = record_id("contact", "U-1"), record_id("contact", "U-2")
HERS, HIS = record_id("contract", "UV-1"), record_id("contract", "UV-2")
STAFF = headers_of(Principal("staff", "staff/7"))


def portal(portal_id: str, **permissions: Permission) -> PortalConfigured:
    return PortalConfigured(
        portal_id=portal_id,
        audience="customer",
        name=NAME,
        url="https://portal.example.org",
        instalments=InstalmentSettings(),
        permissions=permissions,
    )


def user(contact_id: str | None = ANNA, portal_id: str = "customers", role: Any = "customer") -> dict[str, str]:
    return headers_of(Principal(role, f"user/of-{contact_id}", contact_id, portal_id))


class Api:
    def __init__(self, client: httpx.AsyncClient, position: str) -> None:
        self.client = client
        self.position = position

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.get(path, headers={**(headers or user()), "Portico-Position": self.position})

    async def patch(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        answer = await self.client.patch(
            path, json=body, headers={**(headers or user()), "Portico-Position": self.position}
        )
        if "portico-position" in answer.headers:
            self.position += f", {answer.headers['portico-position']}"
        return answer


@pytest.fixture
async def api(entities: RunningService, others: Others) -> Api:
    client = entities.client
    contract = {"status": "active", "division": "gas", "product": "Erdgas", "delivery_city": "Lindenau"}
    positions = [
        await others.say(
            "portal/customers",
            portal(
                "customers",
                contact=Permission(see=("address", "phone"), change=("phone", "language")),
                contract=Permission(see=("general", "cancellation", "holder"), change=("status", "product")),
            ),
        )
    ]
    for path, body in (
        (
            "contact/U-1",
            {"last_name": "Sommer", "phone": "+49 3573 4711", "city": "Lindenau", "email": "a@example.org"},
        ),
        ("contact/U-2", {"last_name": "Krüger"}),
        ("contract/UV-1", {**contract, "holder": "U-1"}),
        ("contract/UV-2", {**contract, "holder": "U-2"}),
    ):
        put = await client.put(f"/records/{path}", json=body, headers=STAFF)
        positions.append(put.headers["Portico-Position"])
    return Api(client, ", ".join(positions))


async def test_they_see_of_their_own_records_what_their_portal_permits(api: Api) -> None:
    contact = await api.get(f"/records/contact/{ANNA}")
    assert contact.status_code == 200
    shown = contact.json()
    assert shown["personal"] == {"last_name": "Sommer", "phone": "+49 3573 4711", "city": "Lindenau"}
    assert (shown["attributes"], shown["external_id"], shown["person"]) == ({}, None, None)
    contract = (await api.get(f"/records/contract/{HERS}")).json()
    assert set(contract["attributes"]) == {"number", "status", "division", "product"}
    assert (contract["personal"], contract["relations"]) == ({}, {"holder": [ANNA]})
    assert contract["external_id"] == "UV-1"
    other_portal = (await api.get(f"/records/contact/{ANNA}", user(portal_id="nowhere"))).json()
    assert (other_portal["personal"], other_portal["attributes"]) == ({"last_name": "Sommer"}, {})


async def test_what_is_foreign_is_like_nothing(api: Api) -> None:
    unknown = await api.get("/records/contract/00000000-0000-5000-8000-000000000000")
    for path, headers in (
        (f"/records/contact/{BEN}", user()),
        (f"/records/contract/{HIS}", user()),
        ("/records/contract/UV-2", user()),
        (f"/records/contract/{HERS}", user(None)),
        (f"/records/contract/{HERS}", user(role="installer")),
    ):
        answer = await api.get(path, headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "record_not_found")
        assert answer.json()["detail"] == unknown.json()["detail"]
        changed = await api.patch(path, {"product": "Biogas"}, headers)
        assert (changed.status_code, changed.json()["code"]) == (404, "record_not_found")
    assert (await api.get("/records/lamp/1")).json()["code"] == "entity_unknown"
    assert (await api.get("/records/contract")).status_code == 403


async def test_they_change_what_is_permitted_once_and_only_the_version_they_mean(api: Api) -> None:
    path = f"/records/contact/{ANNA}"
    version = (await api.get(path)).headers["ETag"]
    key = {**user(), "Idempotency-Key": "phone-1", "If-Match": version}
    first = await api.patch(path, {"phone": "+49 3573 4712", "language": "en"}, key)
    assert (first.status_code, first.json()["effect"]) == (200, "updated")
    assert (await api.patch(path, {"phone": "+49 3573 4712", "language": "en"}, key)).json() == first.json()
    stale = await api.patch(path, {"phone": "+49 3573 4713"}, {**user(), "If-Match": version})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert (await api.patch(path, {"phone": "+49 3573 4712"})).json()["effect"] == "unchanged"
    shown = await api.get(path)
    assert (shown.json()["personal"]["phone"], shown.headers["ETag"]) == ("+49 3573 4712", first.headers["ETag"])


@pytest.mark.parametrize(
    ("record", "body", "status", "code"),
    [
        (f"contact/{ANNA}", {"phone": "+49 3573 1", "email": "x@example.org"}, 403, "not_permitted"),
        (f"contact/{ANNA}", {"customer_number": "U-9"}, 403, "not_permitted"),
        (f"contract/{HERS}", {"product": "Biogas", "status": "terminated"}, 403, "not_permitted"),
        (f"contract/{HERS}", {"holder": BEN}, 403, "not_permitted"),
        (f"contract/{HERS}", {"product": "Biogas", "colour": "red"}, 422, "invalid_attribute"),
        (f"contact/{ANNA}", {"phone": "call me"}, 422, "invalid_phone"),
        (f"contract/{HERS}", {"product": None}, 422, "invalid_missing"),
    ],
)
async def test_what_is_refused_changes_nothing_at_all(
    api: Api, record: str, body: dict[str, Any], status: int, code: str
) -> None:
    before = (await api.get(f"/records/{record}", STAFF)).json()
    answer = await api.patch(f"/records/{record}", body, {**user(), "Accept-Language": "de"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["attribute"] in answer.json()["detail"]
    assert (await api.get(f"/records/{record}", STAFF)).json() == before


async def test_whoever_acts_as_a_customer_leaves_the_email_address_alone(api: Api, others: Others) -> None:
    change = Permission(see=("reach",), change=("reach",))
    api.position += f", {await others.say('portal/open', portal('open', contact=change))}"
    path, mine = f"/records/contact/{ANNA}", Principal("customer", f"user/of-{ANNA}", ANNA, "open")
    acting = headers_of(replace(mine, actor="staff/7"))
    for language, sentence in (("de", "handeln"), ("en", "while you act")):
        body = {"email": "taken.over@example.org", "phone": "+49 3573 1"}
        refused = await api.patch(path, body, {**acting, "Accept-Language": language})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden_while_acting")
        assert (refused.json()["attribute"], sentence in refused.json()["detail"]) == ("email", True)
    assert (await api.patch(path, {"email": None}, acting)).status_code == 403
    allowed = await api.patch(path, {"email": "a@example.org", "phone": "+49 3573 2"}, acting)
    assert (allowed.status_code, allowed.json()["effect"]) == (200, "updated")
    assert (await api.patch(path, {"email": "b@example.org"}, headers_of(mine))).status_code == 200


async def test_staff_change_anything_but_what_a_service_decides(api: Api) -> None:
    path = f"/records/contract/{HIS}"
    changed = await api.patch(path, {"notice": "6 Wochen", "price_change_on": "01.05.2027"}, STAFF)
    assert changed.json()["effect"] == "updated"
    shown = (await api.get(path, STAFF)).json()["attributes"]
    assert (shown["notice"], shown["price_change_on"]) == ("P6W", "2027-05-01")
    refused = await api.patch(path, {"status": "draft"}, STAFF)
    assert (refused.status_code, refused.json()["code"]) == (409, "decided_elsewhere")
    assert (await api.patch(path, {"notice": "soon"}, STAFF)).json()["code"] == "invalid_period"


async def test_a_contract_goes_to_another_holder(api: Api) -> None:
    body = {"status": "active", "division": "gas", "product": "Erdgas", "delivery_city": "Lindenau", "holder": "U-1"}
    put = await api.client.put("/records/contract/UV-3", json=body, headers=STAFF)
    path = f"/records/contract/{put.json()['id']}"
    unknown = await api.client.put(f"{path}/relations/holder", json={"to": ["nobody"]}, headers=STAFF)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown_record")
    assert (await api.client.put(f"{path}/relations/owner", json={"to": []}, headers=STAFF)).status_code == 404
    empty = await api.client.put(f"{path}/relations/holder", json={"to": []}, headers=STAFF)
    assert empty.json()["code"] == "invalid_missing"
    moved = await api.client.put(f"{path}/relations/holder", json={"to": [BEN]}, headers=STAFF)
    assert moved.json()["effect"] == "updated"
    api.position += f", {moved.headers['portico-position']}"
    assert (await api.get(path)).status_code == 404
    assert (await api.get(path, user(BEN))).status_code == 200
    assert (await api.get(path, STAFF)).json()["personal"] == {"delivery_city": "Lindenau"}


async def test_the_history_of_a_record(api: Api) -> None:
    put = await api.client.put("/records/contact/U-3", json={"last_name": "Berg", "language": "de"}, headers=STAFF)
    path = f"/records/contact/{put.json()['id']}"
    await api.patch(path, {"language": "en", "phone": "+49 3573 9"}, user(put.json()["id"]))
    await api.client.delete("/records/contact/U-3", headers=STAFF)
    history = (await api.client.get(f"{path}/history", headers=STAFF)).json()
    deleted, changed, created = history["items"]
    assert [each["what"] for each in history["items"]] == ["deleted", "changed", "created"]
    assert (created["actor"], created["cause"], created["erased"]) == ("staff/7", None, False)
    assert created["position"] == put.headers["Portico-Position"]
    assert {"name": "last_name", "before": None, "after": "Berg", "personal": True} in created["changes"]
    assert changed["actor"].startswith("user/of-")
    assert changed["changes"] == [
        {"name": "language", "before": "de", "after": "en", "personal": False},
        {"name": "phone", "before": None, "after": "+49 3573 9", "personal": True},
    ]
    assert (deleted["changes"], history["next"]) == ([], None)
    page = (await api.client.get(f"{path}/history?limit=1", headers=STAFF)).json()
    assert page["next"] == 3
    rest = (await api.client.get(f"{path}/history?before=3", headers=STAFF)).json()
    assert [each["version"] for each in rest["items"]] == [2, 1]
    assert (await api.client.get("/records/contact/nobody/history", headers=STAFF)).status_code == 404
