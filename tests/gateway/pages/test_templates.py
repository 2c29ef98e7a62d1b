"""Mail templates: wording by portal and language, a preview in a frame of its own, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.pages.settings_world import PORTAL, staff, world_with_portal
from tests.gateway.world import World, soup, words

MAIL = "/templates/customers/receipt"
API = "/portals/customers/templates/receipt"
FIELDS = ("subject", "preview", "body", "text")
NOTHING_RUNS = "default-src 'none'"


def wording(word: str) -> dict[str, str]:
    return {field: f"{word} {field}" for field in FIELDS}


def world_with_mail(own: dict[str, Any] | None = None, **portal: Any) -> World:
    world = world_with_portal(**portal)
    variables = {"reference": "7K3F-9QXM", "link": "https://x.example", "portal": {"name": "My Lindenau"}}
    infos = [{"template": "receipt", "needs_link": True, "variables": variables}]
    world.answer("GET", "notifications", "/templates", {"items": infos})
    standard = {"template": "receipt", "de": wording("Üblich"), "en": wording("Usual")}
    world.answer("GET", "notifications", "/templates/receipt", standard)
    worded = [{"template": "receipt", "portal": "customers", **own}] if own else []
    world.answer("GET", "notifications", "/portals/customers/templates", {"items": worded, "next": None})
    if own:
        world.answer("GET", "notifications", API, worded[0], ETag='"2"')
    world.answer("PUT", "notifications", API, {})
    world.answer("DELETE", "notifications", API, status=204)
    return world


def typed(**wordings: dict[str, str]) -> dict[str, str]:
    said = {"de": wording("Üblich"), "en": wording("Usual"), **wordings}
    return {f"{language}.{field}": text for language, each in said.items() for field, text in each.items()}


async def sent(world: World, fields: dict[str, str]) -> Any:
    """Sends the editor's form with the version that its page has."""
    async with staff(world) as browser:
        seen = soup(await browser.get(MAIL)).select_one("input[name=seen]")
        assert seen is not None
        return await browser.post(MAIL, {"seen": str(seen["value"]), **fields})


async def test_the_list_says_which_mails_a_portal_words_itself() -> None:
    async with staff(world_with_mail({"de": wording("Eigen")})) as browser:
        page = await browser.get("/templates")
        assert "Eingangsbestätigung" in words(page)
        assert [each.get_text(" ", strip=True) for each in soup(page).select(".language-own")] == [
            "Deutsch (Eigene Fassung)"
        ]
        assert (await browser.get("/templates?portal=nowhere")).status_code == 404


async def test_only_what_differs_from_the_standard_is_kept() -> None:
    world = world_with_mail()
    done = await sent(world, typed(de=wording("Eigen")))
    assert (done.status_code, done.headers["location"]) == (303, MAIL)
    (call,) = world.calls_to("PUT", "notifications", API)
    assert call.body == {"template": "receipt", "portal": "customers", "de": wording("Eigen")}
    assert "If-Match" not in call.headers


async def test_the_standard_typed_again_takes_the_own_wording_back() -> None:
    world = world_with_mail({"de": wording("Eigen")})
    await sent(world, typed())
    (call,) = world.calls_to("DELETE", "notifications", API)
    assert call.headers["If-Match"] == '"2"'


async def test_somebody_was_faster_and_nothing_typed_is_lost() -> None:
    world = world_with_mail({"de": wording("Eigen")})
    async with staff(world) as browser:
        page = await browser.post(MAIL, {"seen": "another", **typed(de=wording("Meins"))})
    assert page.status_code == 412
    assert "Meins subject" in page.text
    assert not world.calls_to("PUT", "notifications", API)


async def test_a_mistake_stands_at_its_place() -> None:
    world = world_with_mail()
    mistakes = [{"path": "en.text", "detail": "The link is missing."}]
    world.refuse("PUT", "notifications", API, 422, "invalid_document", mistakes=mistakes)
    page = await sent(world, typed(en=wording("Mine")))
    found = soup(page)
    assert found.find(id="f-en.text-error") is not None
    assert found.select_one("#wording-en[open]") is not None
    assert "Mine body" in page.text


async def test_variables_and_the_needed_link_are_told() -> None:
    async with staff(world_with_mail(), "en") as browser:
        page = await browser.get(MAIL)
    assert "{{ link }} must appear" in words(page)
    offered = [str(each["data-insert"]) for each in soup(page).select("[data-insert]")]
    assert offered == ["{{ reference }}", "{{ link }}", "{{ portal.name }}"]


@pytest.mark.parametrize(("part", "shown"), [("html", "srcdoc"), ("text", "Hello &amp; goodbye")])
async def test_the_preview_runs_and_loads_nothing_and_only_our_pages_frame_it(part: str, shown: str) -> None:
    world = world_with_mail()
    mail = {"subject": "Ihr Anliegen", "html": "<p onclick='x()'>Hi</p><script>x()</script>", "text": "Hello & goodbye"}
    world.answer("POST", "notifications", f"{API}/preview", {"de": mail, "en": mail})
    async with staff(world) as browser:
        page = await browser.post(f"{MAIL}/preview", {**typed(), "shown_language": "de", "shown_part": part})
        editor = soup(await browser.get(MAIL)).select_one("iframe[name=mail-preview]")
    assert "Ihr Anliegen" in page.text
    assert shown in page.text
    policy = page.headers["Content-Security-Policy"]
    assert NOTHING_RUNS in policy
    assert "frame-ancestors 'self'" in policy
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert not soup(page).select("script, [onclick]")
    assert editor is not None
    assert not editor["sandbox"]


async def test_a_preview_that_cannot_be_made_says_why() -> None:
    world = world_with_mail()
    mistakes = [{"path": "de.body", "detail": "{{ nix }} gibt es hier nicht."}]
    world.refuse("POST", "notifications", f"{API}/preview", 422, "invalid_document", mistakes=mistakes)
    async with staff(world) as browser:
        page = await browser.post(f"{MAIL}/preview", {**typed(), "shown_language": "de"})
    assert "{{ nix }} gibt es hier nicht." in page.text
    assert page.status_code == 200


async def test_the_way_back_is_asked_for() -> None:
    world = world_with_mail({"de": wording("Eigen")})
    async with staff(world) as browser:
        assert "Übliche Fassung wiederherstellen?" in words(await browser.get(f"{MAIL}/reset"))
        done = await browser.post(f"{MAIL}/reset")
        assert done.headers["location"] == "/templates?portal=customers"
    assert len(world.calls_to("DELETE", "notifications", API)) == 1
    async with staff(world_with_mail()) as browser:
        assert (await browser.get(f"{MAIL}/reset")).status_code == 404


async def test_a_mail_of_ones_own_begins_empty_and_needs_an_id() -> None:
    async with staff(world_with_mail()) as browser:
        page = await browser.get("/templates/customers/welcome")
        assert soup(page).find(id="f-de.subject")["value"] == ""  # type: ignore[index]
        done = await browser.post("/templates", {"portal": "customers", "template": "welcome"})
        assert done.headers["location"] == "/templates/customers/welcome"
        assert (await browser.post("/templates", {"portal": "customers", "template": "Ä"})).status_code == 422


async def test_forged_and_foreign() -> None:
    world = world_with_mail()
    async with staff(world) as browser:
        for path in (MAIL, f"{MAIL}/reset", f"{MAIL}/preview"):
            assert (await browser.http.post(path, data=typed())).status_code == 403
        assert (await browser.get("/templates/nowhere/receipt")).status_code == 404
        world.away.add("notifications")
        assert (await browser.get(MAIL)).status_code == 503
    assert world.calls_to("GET", "portal", PORTAL)
