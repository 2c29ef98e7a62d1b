"""What all pages have in common: what goes wrong, what is kept, what is asked of the APIs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.world import STAFF, World, member, soup, user, visiting, words

CONTRACTS = "/contracts"


async def test_a_page_that_breaks_is_a_page_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError

    world = World()
    world.answer("GET", "portal", CONTRACTS, {"items": [], "next": None})
    async with visiting(world, owner=user()) as browser:
        monkeypatch.setattr("gateway.visit.Visit.get", breaks)
        broken = await browser.get(CONTRACTS)
    assert broken.status_code == 500
    assert "gleich wieder da" in words(broken)
    assert "Content-Security-Policy" in broken.headers


async def test_a_service_that_is_away_leaves_a_page_that_says_so() -> None:
    world = World(away={"portal"})
    async with visiting(world, owner=user()) as browser:
        nothing_known = await browser.get(CONTRACTS)
        world.away.clear()
        world.answer("GET", "portal", CONTRACTS, {"items": [], "next": None})
        assert (await browser.get(CONTRACTS)).status_code == 200
        world.away.add("portal")
        portal_known = await browser.get(CONTRACTS)
    assert (nothing_known.status_code, portal_known.status_code) == (503, 503)
    assert "gleich wieder da" in words(portal_known)


async def test_a_session_that_ends_in_the_middle_keeps_what_was_sent() -> None:
    world = World()
    signed_in = user() | {"session": "the-session", "session_expires_at": None}
    world.answer("POST", "identity", "/portals/customers/sessions", signed_in)
    async with visiting(world) as browser:
        over = await browser.post("/contracts/c-1/instalment", {"amount": "95", "note": "<b>"})
        assert (over.status_code, "nicht verloren" in words(over)) == (401, True)
        kept = soup(over).select_one("input[name=kept]")
        assert kept is not None
        world.owner = user()
        again = await browser.post("/sign-in", {"email": "a@example.org", "password": "x" * 15, "kept": kept["value"]})
    form = next(each for each in soup(again).select("form") if each["action"] == "/contracts/c-1/instalment")
    sent = {str(each["name"]): str(each.get("value", "")) for each in form.select("input")}
    assert (sent["amount"], sent["note"]) == ("95", "<b>")


async def test_a_press_that_is_repeated_carries_the_same_key() -> None:
    world = World()
    world.answer("POST", "billing", "/contracts/c-1/instalment-changes", {}, 202, Portico_Position="billing/2:7")
    async with visiting(world, owner=user()) as browser:
        for press in ("a-press-of-the-button", "a-press-of-the-button", "another-press-of-it"):
            await browser.post("/contracts/c-1/instalment", {"amount": "95", "press": press})
    calls = world.calls_to("POST", "billing", "/contracts/c-1/instalment-changes")
    keys = [call.headers["idempotency-key"] for call in calls]
    assert (len(keys), keys[0] == keys[1], keys[0] == keys[2]) == (3, True, False)


async def test_who_has_changed_something_reads_what_he_wrote() -> None:
    world = World()
    world.answer("POST", "billing", "/contracts/c-1/instalment-changes", {}, 202, Portico_Position="billing/2:7")
    world.answer("GET", "portal", CONTRACTS, {"items": [], "next": None})
    async with visiting(world, owner=user()) as browser:
        await browser.post("/contracts/c-1/instalment", {"amount": "95"})
        await browser.get(CONTRACTS)
    assert world.calls_to("GET", "portal", CONTRACTS)[-1].headers["portico-position"] == "billing/2:7"


@pytest.mark.parametrize("status", ["identify", "waiting", "unknown"])
async def test_who_is_not_ready_sees_how_far_he_has_come(status: str) -> None:
    async with visiting(World(), owner=user(status)) as browser:
        response = await browser.get(CONTRACTS)
    assert response.headers["location"] == ("/identify" if status == "identify" else "/waiting")


async def test_a_token_is_asked_for_once_in_a_while() -> None:
    world = World()
    world.answer("GET", "portal", CONTRACTS, {"items": [], "next": None})
    async with visiting(world, owner=user()) as browser:
        for _ in range(3):
            await browser.get(CONTRACTS)
    assert len(world.calls_to("POST", "identity", "/sessions/token")) == 1
    assert len(world.calls_to("POST", "identity", "/token")) == 1


async def test_assets_are_kept_for_ever_and_change_their_address_with_their_content() -> None:
    async with visiting(World()) as browser:
        page = soup(await browser.get("/sign-in"))
        style = page.select_one("link[rel=stylesheet]")
        assert style is not None
        asset = await browser.get(str(style["href"]))
        outdated = await browser.get("/assets/000000000000/portico.css")
        nothing = await browser.get("/assets/000000000000/..%2Fapp.py")
    assert "immutable" in asset.headers["cache-control"]
    assert (outdated.status_code, outdated.headers["cache-control"]) == (200, "no-store")
    assert nothing.status_code == 404


async def test_staff_are_no_customers_and_customers_no_staff() -> None:
    world = World()
    async with visiting(world, STAFF, member()) as browser:
        assert (await browser.get("/payments")).status_code == 404
    async with visiting(world, owner=user()) as browser:
        assert (await browser.get("/users")).status_code == 404


async def test_what_is_compressed_differs_each_time() -> None:
    """So that the proof of a form cannot be guessed by the size of pages."""
    async with visiting(World()) as browser:
        first, second = [await browser.get("/sign-in") for _ in range(2)]
    proofs = {str(soup(page).select("input[name=proof]")[0]["value"]) for page in (first, second)}
    assert len(proofs) == 2
