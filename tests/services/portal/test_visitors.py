"""Who asks, in which portal, and as whom: users, those who wait, staff; and what there is to read for each."""

from __future__ import annotations

import httpx
import pytest

from chassis.auth import Principal
from contracts.identity import PersonErased
from contracts.ids import stream
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.happenings import (
    CHECK,
    PROOF,
    activated,
    noticed,
    registered,
    started,
    turn,
)
from tests.services.portal.homes import get, ids, move_in, refused, with_task


class TestNotices:
    async def test_read_once_by_the_contact(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
        (first, second, others) = ids("first", "second", "others")
        await home.happens(
            *((stream("notice", each), [noticed(each, home.contact_id)]) for each in (first, second)),
            (stream("notice", others), [noticed(others, neighbour.contact_id)]),
        )
        headers = users.customer(home.contact_id)
        assert {each["notice_id"] for each in (await get(client, "/notices", headers))["items"]} == {first, second}
        assert (await get(client, "/me", headers))["unread_notices"] == 2
        read = await client.post(f"/notices/{first}/read", headers=headers)
        assert read.status_code == 204, read.text
        fresh = {**headers, "Portico-Position": read.headers["Portico-Position"]}
        (left,) = (await get(client, "/notices", fresh, unread=True))["items"]
        assert (left["notice_id"], left["read_at"]) == (second, None)
        assert (await get(client, "/me", fresh))["unread_notices"] == 1
        assert (await client.post(f"/notices/{first}/read", headers=headers)).status_code == 204
        for notice in (others, "nowhere"):
            response = await client.post(f"/notices/{notice}/read", headers=headers)
            assert (response.status_code, response.json()["code"]) == (404, "notice_not_found")

    async def test_those_for_staff(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, (notice,) = await move_in(elsewhere), ids("notice")
        await home.happens((stream("notice", notice), [noticed(notice, None, "customer_service")]))
        staff, customer = users.role("staff"), users.customer(home.contact_id)
        shown = {each["notice_id"]: each for each in (await get(client, "/notices", staff))["items"]}
        assert shown[notice]["group"] == "customer_service"
        assert notice not in {each["notice_id"] for each in (await get(client, "/notices", customer))["items"]}
        assert (await client.post(f"/notices/{notice}/read", headers=customer)).status_code == 404
        read = await client.post(f"/notices/{notice}/read", headers=staff)
        fresh = {**staff, "Portico-Position": read.headers["Portico-Position"]}
        shown = {each["notice_id"]: each for each in (await get(client, "/notices", fresh))["items"]}
        assert shown[notice]["read_at"] == "2026-11-10T09:30:00Z"


class TestWho:
    LISTS = ("/contracts", "/processes", "/tasks", "/requests", "/documents", "/notices")

    async def test_me(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, (user,) = await move_in(elsewhere), ids("user")
        await home.happens((stream("user", user), [registered(user), activated(user)]))
        headers = users.header(Principal("customer", f"user/{user}", home.contact_id, "customers"))
        me = await get(client, "/me", headers)
        assert (me["status"], me["portal"]["name"]["de"]) == ("ready", "Mein Lindenau")
        assert me["user"] == {"id": user, "email": "anna@example.org", "name": "Anna Sommer", "language": "de"}
        assert (me["contact"]["last_name"], me["contact"]["street"]) == ("Sommer", None)
        editable = {each["name"]: each["editable"] for group in me["groups"] for each in group["attributes"]}
        assert editable == {
            "email": True,
            "phone": True,
            "customer_number": False,
            "first_name": False,
            "last_name": False,
        }
        assert [each["id"] for each in me["actions"]] == ["details"]
        assert [each["id"] for each in me["links"]] == ["outage"]
        await home.happens((stream("person", user), [PersonErased(person=f"user/{user}", reason="wish")]))
        assert (await get(client, "/me", headers))["user"]["email"] is None

    async def test_nobody_has_assigned_him_yet(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, (user, instance) = await move_in(elsewhere), ids("user", "instance")
        overview = users.role("staff")
        before = (await get(client, "/staff/overview", overview))["waiting_users"]
        await home.happens((stream("user", user), [registered(user), activated(user)]))
        assert (await get(client, "/staff/overview", overview))["waiting_users"] == before + 1
        headers = users.header(Principal("customer", f"user/{user}", None, "customers"))
        me = await get(client, "/me", headers)
        assert (me["status"], me["contact"], me["actions"], me["unread_notices"]) == ("waiting", None, [], 0)
        assert me["user"]["name"] == "Anna Sommer"
        for path in self.LISTS:
            assert (await get(client, path, headers)) == {"items": [], "next": None}
        for path in (f"/contracts/{home.contract_id}", f"/processes/{instance}", f"/tasks/{instance}/x", "/requests/x"):
            assert await refused(client, path, headers) == (403, "not_assigned")

    @pytest.mark.parametrize("portal_id", ["closed", "nowhere"])
    async def test_a_portal_that_is_switched_off(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, portal_id: str
    ) -> None:
        home = await move_in(elsewhere)
        headers = users.customer(home.contact_id, portal_id)
        one = (f"/contracts/{home.contract_id}", f"/contracts/{home.contract_id}/billing-events")
        for path in ("/me", *self.LISTS, *one, "/processes/x", "/tasks/x/y", "/requests/x"):
            assert await refused(client, path, headers) == (403, "portal_disabled"), path
        assert (await client.post("/notices/x/read", headers=headers)).json()["code"] == "portal_disabled"

    async def test_a_token_without_a_portal_is_in_the_first_of_its_audience(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        headers = users.header(Principal("installer", "user/x", home.contact_id))
        assert (await get(client, "/me", headers))["portal_id"] == "installers"

    async def test_staff_see_what_a_user_sees(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        instance = await with_task(home)
        customer, staff = users.customer(home.contact_id), users.role("staff")
        as_he_does = {"portal_id": "customers", "contact_id": home.contact_id}
        task = f"/tasks/{instance}/{PROOF}"
        for path in (*self.LISTS[:-1], f"/contracts/{home.contract_id}", f"/processes/{instance}", task):
            assert await get(client, path, staff, **as_he_does) == await get(client, path, customer), path
        me = await get(client, "/me", staff, **as_he_does)
        assert (me["role"], me["contact"]["first_name"], me["contact"]["street"]) == ("staff", "Anna", None)
        everything = await get(client, f"/contracts/{home.contract_id}", staff)
        assert everything["actions"] == []
        assert await refused(client, "/contracts", staff, portal_id="customers") == (422, "invalid_for_staff")
        assert await refused(client, "/tasks", staff) == (422, "invalid_for_staff")
        other = {**as_he_does, "contact_id": "somebody"}
        assert await refused(client, f"/contracts/{home.contract_id}", staff, **other) == (404, "contract_not_found")

    async def test_users_cannot_name_others(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
        headers = users.customer(home.contact_id)
        for path in ("/me", *self.LISTS):
            assert await refused(client, path, headers, contact_id=neighbour.contact_id) == (403, "forbidden"), path
            assert await refused(client, path, headers, portal_id="installers") == (403, "forbidden"), path

    async def test_what_waits_for_staff(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, (instance,) = await move_in(elsewhere), ids("instance")
        before = (await get(client, "/staff/overview", users.role("staff")))["open_tasks"]
        begun = [started(instance, home.contract_id), *turn(instance, home.contract_id, CHECK, None)]
        await home.happens((stream("process", instance), begun))
        assert (await get(client, "/staff/overview", users.role("staff")))["open_tasks"] == before + 1
        assert (await get(client, "/staff/overview", users.role("operator")))["open_tasks"] == before + 1
        assert await refused(client, "/staff/overview", users.customer(home.contact_id)) == (403, "forbidden")
