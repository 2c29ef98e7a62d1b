"""Staff act as a customer: from his row to his portal and back, with what they cannot do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from gateway.boxes import Box
from tests.gateway.pages.test_profile import EMAIL, PHONE, world_of
from tests.gateway.world import INSTALLERS, STAFF, Browser, World, member, soup, user, visiting, words

KEY = bytes(32)
ACTING = "/users/u-1/acting"
BEGIN = "/users/u-1/impersonations"
END = "/users/u-1/impersonations/i-1/end"
USER = {
    "user_id": "u-1",
    "portal_id": "customers",
    "email": "anna@example.org",
    "name": "Anna S.",
    "language": "de",
    "contact_id": "c-1",
    "contact_name": "Anna Sommer",
    "contact_number": "K-1",
    "assignment": "assigned",
}


def world_with_user() -> World:
    world = world_of(PHONE, EMAIL)
    world.answer("GET", "identity", "/users/u-1", USER)
    begun = {"impersonation_id": "i-1", "access_token": "acting-token", "expires_in": 300}
    world.answer("POST", "identity", BEGIN, begun, 201)
    world.answer("POST", "identity", END, status=204)
    return world


async def handover(world: World) -> str:
    """Where the staff's site leads to, below the portal."""
    async with visiting(world, STAFF, member(name="Maria Kern")) as browser:
        done = await browser.post(ACTING, {"reason": "a call"})
        target = urlsplit(done.headers["location"])
        assert (done.status_code, target.netloc, target.path) == (303, "customers.localhost", "/acting/begin")
        return f"{target.path}?{target.query}"


@asynccontextmanager
async def acting(world: World, owner: dict[str, object] | None = None) -> AsyncIterator[Browser]:
    """A member of staff on the portal, acting as Anna."""
    path = await handover(world)
    async with visiting(world, owner=owner) as browser:
        field = soup(await browser.get(path)).select_one("#begin input[name=handover]")
        assert field is not None
        done = await browser.post("/acting/begin", {"handover": field["value"]})
        assert done.headers["location"] == "/"
        yield browser


async def test_a_reason_is_needed_and_goes_to_identity() -> None:
    world = world_with_user()
    async with visiting(world, STAFF, member()) as browser:
        page = await browser.get(ACTING)
        for said in ("Anna Sommer", "K-1", "Mein Lindenau", "Nach fünf Minuten ist von selbst Schluss."):
            assert said in words(page)
        empty = await browser.post(ACTING)
        assert (empty.status_code, world.calls_to("POST", "identity", BEGIN)) == (422, [])
        await browser.post(ACTING, {"reason": "a call"})
        assert world.calls_to("POST", "identity", BEGIN)[0].body == {"reason": "a call"}
        world.refuse("POST", "identity", BEGIN, 409, "user_not_assigned")
        refused = await browser.post(ACTING, {"reason": "a call"})
        assert (refused.status_code, "Sentence of user_not_assigned." in words(refused)) == (409, True)
        assert (await browser.get("/users/nobody/acting")).status_code == 404


async def test_staff_see_the_portal_as_the_customer_with_a_banner_and_one_way_back() -> None:
    world = world_with_user()
    async with acting(world) as browser:
        page = await browser.get("/profile")
        banner = soup(page).select_one(".acting")
        assert banner is not None
        assert "Anna Sommer" in banner.get_text()
        assert "Maria Kern" in banner.get_text()
        assert world.calls_to("GET", "portal", "/me")[-1].headers["authorization"] == "Bearer acting-token"
        ended = await browser.post("/acting/end")
        assert ended.headers["location"] == f"https://{STAFF}/users/u-1"
        assert world.calls_to("POST", "identity", END)[-1].headers["authorization"] == "Bearer acting-token"
        assert (await browser.get("/profile")).headers["location"] == "/sign-in?next=/profile"


async def test_signing_out_ends_acting_and_not_a_session_of_ones_own() -> None:
    world = world_with_user()
    async with acting(world, user()) as browser:
        done = await browser.post("/sign-out")
        assert done.headers["location"] == f"https://{STAFF}/users/u-1"
        assert world.calls_to("POST", "identity", "/sessions/end") == []
        assert soup(await browser.get("/profile")).select_one(".acting") is None


@pytest.mark.parametrize("answer", ["away", "refused"])
async def test_acting_ends_here_whatever_identity_says(answer: str) -> None:
    world = world_with_user()
    async with acting(world) as browser:
        if answer == "refused":
            world.refuse("POST", "identity", END, 401, "token_expired")
        else:
            world.away = {"identity"}
        assert (await browser.post("/acting/end")).headers["location"] == f"https://{STAFF}/users/u-1"
        assert "__Host-acting" not in browser.http.cookies


async def test_password_and_address_stay_as_they_are() -> None:
    world = world_with_user()
    async with acting(world, user()) as browser:
        page = await browser.get("/security")
        assert "Das geht nur im eigenen Namen" in words(page)
        assert soup(page).select("main input[type=password]") == []
        refused = await browser.post("/security/password", {"current_password": "x", "password": "y"})
        assert (refused.status_code, world.calls_to("POST", "identity", "/passwords")) == (403, [])
        assert soup(await browser.get("/profile/reach")).find(id="f-value.email") is None
        await browser.post("/profile/reach", {"value.phone": "030 2", "value.email": "maria@example.org"})
        (call,) = world.calls_to("PATCH", "entities", "/records/contact/c-1")
        assert call.body == {"phone": "030 2"}


async def test_a_handover_is_good_for_its_portal_and_only_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    path = await handover(world_with_user())
    async with visiting(world_with_user(), INSTALLERS) as browser:
        assert (await browser.get(path)).status_code == 410
        assert "__Host-acting" not in browser.http.cookies
    monkeypatch.setattr("gateway.pages.public.acting.HANDOVER_SECONDS", -1)
    async with visiting(world_with_user()) as browser:
        assert (await browser.get(path)).status_code == 410


async def test_after_five_minutes_every_page_says_that_it_is_over() -> None:
    world = world_with_user()
    over = {"impersonation_id": "i-1", "user_id": "u-1", "access_token": "acting-token", "until": 0}
    async with visiting(world, owner=user()) as browser:
        browser.http.cookies.set("__Host-acting", Box(KEY).seal(over))
        assert (await browser.get("/profile")).headers["location"] == "/acting/expired"
        page = await browser.get("/acting/expired")
        assert "Die fünf Minuten sind vorbei" in words(page)
        assert soup(page).select_one(f"main a[href='https://{STAFF}/users/u-1']")


async def test_a_token_that_is_over_early_is_no_loop() -> None:
    world = world_with_user()
    async with acting(world) as browser:
        world.refuse("GET", "portal", "/me", 401, "token_expired")
        assert (await browser.get("/profile")).headers["location"] == "/acting/expired"
        assert (await browser.get("/acting/expired")).status_code == 200
