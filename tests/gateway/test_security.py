"""Every route: headers, forgery, cookies, and who may come; and the doors that attackers try."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.app import page_routes
from gateway.boxes import Box
from gateway.routing import Page
from tests.gateway.world import CUSTOMERS, STAFF, World, member, soup, user, visiting

HOSTS = {"portal": CUSTOMERS, "staff": STAFF, "index": "localhost"}
ROUTES = [page for pages in page_routes().values() for page, _ in pages]
READS = [page for page in ROUTES if page.method == "GET"]
FORMS = [page for page in ROUTES if page.method == "POST"]
PLAIN = {"/robots.txt", "/logo.svg", "/favicon.svg"}


def name(page: Page) -> str:
    return f"{page.site} {page.path}"


def address(page: Page) -> str:
    return re.sub(r"\{[^}]+\}", "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11", page.path)


def expect_headers(response: httpx.Response, *, embedded: bool) -> None:
    headers = response.headers
    policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; ") if " " in each)
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in policy.get("script-src", "") + policy.get("connect-src", "")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=63072000")
    assert headers["referrer-policy"] == "same-origin"
    if embedded:
        assert policy["frame-ancestors"] == "https://www.example.org"
    elif policy["frame-ancestors"] != "'self'":
        assert (policy["frame-ancestors"], headers["x-frame-options"]) == ("'none'", "DENY")
    for cookie in headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-"), cookie
        assert {"Path=/", "Secure", "HttpOnly"} <= set(cookie.split("; ")), cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize("page", READS, ids=name)
async def test_a_page_has_all_headers_and_nothing_inline(page: Page) -> None:
    world = World(development=True)
    owner = member() if page.site == "staff" else user()
    async with visiting(world, HOSTS[page.site], owner) as browser:
        response = await browser.get(address(page))
    expect_headers(response, embedded=page.embedded)
    assert response.status_code < 500
    if page.path not in PLAIN:
        assert "no-store" in response.headers["cache-control"]
    for tag in soup(response).find_all(True):
        assert not [each for each in tag.attrs if each.startswith("on") or each == "style"], tag
        assert tag.name != "script" or tag.get("src") or tag.get("type") == "application/json", tag


@pytest.mark.parametrize("page", FORMS, ids=name)
async def test_a_form_that_is_not_ours_is_refused(page: Page) -> None:
    world = World(development=True)
    owner = member() if page.site == "staff" else user()
    async with visiting(world, HOSTS[page.site], owner) as browser:
        bare = await browser.http.post(address(page), data={"anything": "1"})
        foreign = await browser.post(address(page), headers={"Origin": "https://evil.example"})
        cross = await browser.post(address(page), headers={"Sec-Fetch-Site": "cross-site"})
    assert [bare.status_code, foreign.status_code, cross.status_code] == [403, 403, 403]
    changed = [call for call in world.calls if call.method != "GET" and "/token" not in call.path]
    assert changed == []
    expect_headers(bare, embedded=page.embedded)


@pytest.mark.parametrize("page", [page for page in READS if page.who == "user"], ids=name)
async def test_nobody_comes_in_without_signing_in(page: Page) -> None:
    world = World()
    async with visiting(world, HOSTS[page.site]) as browser:
        response = await browser.get(address(page))
    assert response.status_code == 303
    assert response.headers["location"].startswith("/sign-in")
    assert not [call for call in world.calls if call.service != "identity" and call.path != "/appearances"]


async def test_a_proof_is_good_for_one_visitor_only() -> None:
    box = Box(bytes(32))
    proof = box.proof("anna")
    assert box.proves(proof, "anna")
    assert proof != box.proof("anna")
    assert not box.proves(proof, "ben")
    assert not box.proves(proof, "")
    assert not box.proves("", "anna")
    assert not box.proves("ä", "anna")
    assert not Box(bytes([1] * 32)).proves(proof, "anna")


async def test_what_is_sealed_cannot_be_changed_and_expires() -> None:
    box = Box(bytes(32))
    sealed = box.seal({"a": 1})
    assert box.open(sealed, 10) == {"a": 1}
    assert box.open(sealed[:-4] + "AAAA", 10) is None
    assert box.open(sealed, -1) is None
    assert box.open("", 10) is None
    assert Box(bytes([1] * 32)).open(sealed, 10) is None


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb"])
async def test_a_link_leads_nowhere_else(path: str) -> None:
    world = World()
    world.answer(
        "POST", "identity", "/portals/customers/sessions", user() | {"session": "s", "session_expires_at": None}
    )
    async with visiting(world) as browser:
        response = await browser.post("/sign-in", {"email": "a@example.org", "password": "x" * 15, "next": path})
    assert response.status_code == 303
    assert response.headers["location"] == "/"


@pytest.mark.parametrize("part", ["x%3Fa=b", "a%2Fb", "a%23", "..%5C", "%E2%80%AE", "a" * 301])
async def test_a_part_of_an_address_is_no_more_than_a_name(part: str) -> None:
    world = World()
    async with visiting(world, owner=user()) as browser:
        response = await browser.get(f"/contracts/{part}")
    assert response.status_code == 404
    assert not [call for call in world.calls if call.path.startswith("/contracts")]


async def test_a_form_without_a_length_is_refused() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a=1"

    async with visiting(World()) as browser:
        assert (await browser.http.post("/sign-in", content=body())).status_code == 411


async def test_a_host_that_belongs_to_nobody_has_no_pages() -> None:
    async with visiting(World(), "evil.example") as browser:
        response = await browser.get("/")
    assert response.status_code == 404


async def test_other_headers_do_not_make_a_host() -> None:
    async with visiting(World(), "evil.example") as browser:
        response = await browser.get("/", **{"X-Forwarded-Host": CUSTOMERS})
    assert response.status_code == 404
