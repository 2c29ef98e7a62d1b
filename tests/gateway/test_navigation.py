"""What stands around every page: links for everybody, where one can go, and how much waits there."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from bs4 import Tag

from gateway.api import Api
from gateway.memory import Memory
from tests.gateway.pages.customer_data import CONTRACT, world
from tests.gateway.world import CUSTOMERS, INSTALLERS, STAFF, Call, World, member, soup, user, visiting

EVERYWHERE = ("/contracts", "/payments", "/tasks", "/requests", "/processes", "/documents", "/notices", "/profile")


def links(response: httpx.Response, within: str) -> dict[str, Tag]:
    return {str(each["href"]): each for each in soup(response).select(f"{within} a[href]")}


def count_at(response: httpx.Response, href: str) -> str | None:
    """The number at a link of the navigation."""
    found = {
        number.contents[0]
        for link in soup(response).select(f'a[href="{href}"]')
        if (number := link.select_one(".count")) is not None
    }
    assert len(found) < 2
    return str(found.pop()) if found else None


class TestFooter:
    @pytest.mark.parametrize("path", ["/sign-in", "/imprint", "/contracts"])
    async def test_links_of_every_page_are_for_everybody(self, path: str) -> None:
        async with visiting(world(), owner=user() if path == "/contracts" else None) as browser:
            found = links(await browser.get(path), ".footer")
        assert found["/j/cancel_here"].get_text() == "Hier kündigen"
        outside = found["https://example.org/out"]
        assert (outside["rel"], outside["target"]) == (["noopener"], "_blank")
        assert {"/imprint", "/privacy"} < found.keys()

    async def test_a_site_that_is_no_portal_has_none(self) -> None:
        async with visiting(World(development=True), "localhost") as browser:
            assert set(links(await browser.get("/"), ".footer")) == {"/imprint", "/privacy"}


class TestNavigation:
    @pytest.mark.parametrize("within", [".top", ".bottom"])
    @pytest.mark.parametrize("host", [CUSTOMERS, INSTALLERS])
    async def test_everything_can_be_reached(self, host: str, within: str) -> None:
        role = "customer" if host == CUSTOMERS else "installer"
        async with visiting(world(), host, user(role=role, portal_id=host.partition(".")[0])) as browser:
            page = await browser.get("/contracts")
        wanted = set(EVERYWHERE) - ({"/payments"} if host == INSTALLERS else set())
        assert wanted - links(page, within).keys() - links(page, ".top-bell, .top-end").keys() == set()

    async def test_what_was_begun_is_on_the_first_page(self) -> None:
        made = world()
        draft = {
            "submission_id": "5" * 32,
            "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
            "expires_at": "2030-01-01T00:00:00Z",
        }
        made.answer("GET", "journeys", "/drafts", {"items": [draft]})
        async with visiting(made, owner=user()) as browser:
            begun = links(await browser.get("/"), "#drafts")
            made.answer("GET", "journeys", "/drafts", {"items": []})
            nothing = await browser.get("/")
        assert set(begun) == {"/journeys", f"/journeys/{'5' * 32}"}
        assert soup(nothing).select_one("#drafts") is None


class TestCounts:
    async def test_they_are_known_for_a_while_and_forgotten_after_a_change(self) -> None:
        made = world()
        made.answer("POST", "portal", "/notices/n-1/read", None, 204)
        async with visiting(made, owner=user()) as browser:
            first, second = await browser.get("/contracts"), await browser.get("/payments")
            assert len(made.calls_to("GET", "portal", "/me")) == 1
            made.answer("GET", "portal", "/me", {"open_tasks": 3, "unread_notices": 1})
            await browser.post("/notices/n-1/open")
            after = await browser.get("/contracts")
        for page in (first, second):
            assert (count_at(page, "/tasks"), count_at(page, "/notices")) == ("3", "2")
        assert count_at(after, "/notices") == "1"

    async def test_a_refused_change_still_shows_them(self) -> None:
        made = world()
        made.refuse("POST", "billing", f"/contracts/{CONTRACT}/instalment-changes", 409, "too_low")
        async with visiting(made, owner=user()) as browser:
            await browser.get("/contracts")
            refused = await browser.post(f"/contracts/{CONTRACT}/instalment", {"amount": "1"})
        assert (refused.status_code, count_at(refused, "/tasks")) == (409, "3")

    @pytest.mark.parametrize("trouble", ["away", "refused", "slow"])
    async def test_a_page_does_without_them(self, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
        made = world()
        if trouble == "slow":
            monkeypatch.setattr("gateway.counts.PATIENCE_SECONDS", 0.01)
            monkeypatch.setattr("gateway.api.Api.send", _slowly(asyncio.Event()))
        elif trouble == "away":
            made.answers["GET", "portal", "/me"] = _unreachable
        else:
            made.refuse("GET", "portal", "/me", 403, "portal_disabled")
        async with visiting(made, owner=user()) as browser:
            page = await browser.get("/contracts")
        assert (page.status_code, count_at(page, "/tasks")) == (200, None)

    async def test_staff_see_what_waits_for_them(self) -> None:
        made = World()
        made.answer("GET", "portal", "/staff/overview", {"waiting_users": 2, "open_tasks": 5, "failures": 0})
        made.answer("GET", "identity", "/staff", {"items": []})
        async with visiting(made, STAFF, member()) as browser:
            page = await browser.get("/members")
        found = [count_at(page, path) for path in ("/users", "/tasks", "/failures")]
        assert (page.status_code, found) == (200, ["2", "5", None])

    async def test_nobody_is_asked_for_who_is_not_signed_in(self) -> None:
        made = world()
        async with visiting(made) as browser:
            await browser.get("/sign-in")
        assert made.calls_to("GET", "portal", "/me") == []


def test_memory_is_bounded_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("gateway.memory.MOST", 3)
    memory = Memory[int](20)
    for number in range(3):
        memory.put(f"session {number}", number)
    assert [memory.get(f"session {number}") for number in range(3)] == [0, 1, 2]
    memory.forget("session 1")
    assert (memory.get("session 1"), memory.get("session 2")) == (None, 2)
    now = 20.0
    assert memory.get("session 2") is None
    memory.put("session 3", 3)
    memory.put("session 4", 4)
    assert (memory.get("session 3"), memory.get("session 4")) == (None, 4)


def _unreachable(_: Call) -> httpx.Response:
    raise httpx.ConnectError("away")


def _slowly(never: asyncio.Event) -> Any:
    """Api.send, but the answer that tells the counts never comes."""
    real = Api.send

    async def send(self: Api, method: str, service: str, path: str, *more: Any, **content: Any) -> httpx.Response:
        if path == "/me":
            await never.wait()
        return await real(self, method, service, path, *more, **content)

    return send
