"""Portal settings: every tab writes the whole portal with its part changed, and says at the field what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.pages.settings_world import LOGO, PORTAL, portal, staff, world_with_portal, written
from tests.gateway.world import soup, words


def general(**changed: Any) -> dict[str, Any]:
    """The general form as the page of the demo's portal would send it."""
    sent: dict[str, Any] = {
        "seen": '"4"',
        "name.de": "Mein Lindenau",
        "name.en": "My Lindenau",
        "url": "https://portal.lindenau.example",
        "audience": "customer",
        "enabled": "yes",
        "registration.open": "yes",
        "registration.assign_by": "primary_email",
        "registration.second_identification": ["contact.customer_number"],
        "registration.unknown": "wait_for_staff",
        "instalments.down_percent": "20",
        "instalments.up_percent": "100",
        "instalments.minimum_cents": "10",
        "instalments.days_before_due": "10",
        "instalments.once_per_days": "30",
        "instalments.switches": "not_while_overdue",
        "instalments.by_contract_type.gas.down_percent": "10",
        "instalments.by_contract_type.heat.down_percent": "10",
        "embed": "https://www.example.org",
    }
    return {**sent, **changed}


async def test_all_portals_are_listed_with_their_state() -> None:
    async with staff(world_with_portal(enabled=False)) as browser:
        page = await browser.get("/portals")
        assert "Mein Lindenau" in words(page)
        assert "Ausgeschaltet" in words(page)
        face = soup(page).select_one(".portal-face img")
        assert face is not None
        assert str(face["src"]).startswith("data:image/svg+xml;base64,")
        assert "style=" not in page.text


async def test_a_form_sent_as_it_is_changes_nothing() -> None:
    world = world_with_portal()
    async with staff(world) as browser:
        done = await browser.post(f"{PORTAL}/general", general())
        assert (done.status_code, done.headers["location"]) == (303, f"{PORTAL}/general")
    assert written(world) == portal()


async def test_a_change_is_meant_for_the_version_that_was_seen_and_touches_its_part_only() -> None:
    world = world_with_portal()
    limits = {
        "instalments.down_percent": "",
        "instalments.minimum_cents": "12,5",
        "instalments.by_contract_type.gas.up_percent": "–",
        "instalments.by_contract_type.heat.down_percent": "",
        "instalments.by_contract_type.heat.not_while_overdue": "no",
    }
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/general", general(**limits, embed="https://a.example\nhttps://b.example"))
    (call,) = world.calls_to("PUT", "portal", PORTAL)
    assert call.headers["If-Match"] == '"4"'
    document = call.body
    assert document["embed"] == ["https://a.example", "https://b.example"]
    rules = document["instalments"]
    assert (rules["down_percent"], rules["minimum_cents"], rules["not_while_overdue"]) == (None, 1250, True)
    assert rules["by_contract_type"] == {
        "gas": {"down_percent": 10, "up_percent": None},
        "heat": {"not_while_overdue": False},
    }
    assert document["actions"] == portal()["actions"]


async def test_a_mistake_stands_at_its_field_and_what_was_typed_is_kept() -> None:
    world = world_with_portal()
    mistakes = [
        {"path": "url", "detail": "Das ist keine Adresse."},
        {"path": "instalments.down_percent", "detail": "Das ist keine Zahl."},
        {"path": "embed.0", "detail": "Ohne https geht es nicht."},
    ]
    world.refuse("PUT", "portal", PORTAL, 422, "invalid_document", mistakes=mistakes)
    async with staff(world) as browser:
        page = await browser.post(f"{PORTAL}/general", general(url="nowhere", **{"instalments.down_percent": "viel"}))
    assert page.status_code == 422
    found = soup(page)
    for field, sentence in (("f-url", "keine Adresse"), ("f-instalments.down_percent", "keine Zahl")):
        mistake = found.find(id=f"{field}-error")
        assert mistake is not None
        assert sentence in mistake.get_text()
    links = [str(link["href"]) for link in found.select(".errors a")]
    assert links == ["#f-url", "#f-instalments.down_percent", "#f-embed"]
    assert all(found.find(id=link[1:]) is not None for link in links)
    assert found.find(id="f-url")["value"] == "nowhere"  # type: ignore[index]
    assert found.find(id="f-instalments.down_percent")["value"] == "viel"  # type: ignore[index]


async def test_somebody_was_faster() -> None:
    world = world_with_portal()
    world.refuse("PUT", "portal", PORTAL, 412, "precondition_failed")
    async with staff(world) as browser:
        page = await browser.post(f"{PORTAL}/general", general(seen='"3"', **{"name.de": "Unser Portal"}))
        assert page.status_code == 412
        assert "Jemand war schneller" in words(page)
        found = soup(page)
        assert found.find(id="f-name.de")["value"] == "Unser Portal"  # type: ignore[index]
        seen = found.select_one("input[name=seen]")
        assert seen is not None
        assert seen["value"] == '"4"'


async def test_what_should_be_looked_at_is_said_once_at_its_field() -> None:
    world = world_with_portal()
    warnings = [
        {"path": "design.brand", "detail": "Das ist blass."},
        {"path": "actions.0.journey", "detail": "Diese Journey gibt es nicht."},
    ]
    world.answer("PUT", "portal", PORTAL, {**portal(), "warnings": warnings})
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/design", {"seen": '"4"', "design.brand": "#ffee00"})
        first, second = await browser.get(f"{PORTAL}/design"), await browser.get(f"{PORTAL}/design")
    assert "Das ist blass." in words(first)
    assert "Diese Journey" not in words(first)
    assert "blass" not in words(second).replace("zu blass", "")


@pytest.mark.parametrize(
    ("typed", "brand"),
    [
        ({"design.brand": "#123456", "picked.brand": "#0b6e4f", "was.brand": "#0b6e4f"}, "#123456"),
        ({"design.brand": "#0B6E4F", "picked.brand": "#abcdef", "was.brand": "#0b6e4f"}, "#abcdef"),
        ({"design.brand": "123456", "picked.brand": "#0b6e4f", "was.brand": "#0b6e4f"}, "#123456"),
    ],
)
async def test_the_colour_that_was_changed_counts_in_words_or_picked(typed: dict[str, str], brand: str) -> None:
    world = world_with_portal()
    accent = {"design.accent": "", "picked.accent": "#0b6e4f", "was.accent": "#0b6e4f"}
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/design", {"seen": '"4"', **typed, **accent, "design.logo": LOGO})
    assert written(world)["design"] == {"brand": brand, "accent": None, "logo": LOGO}


async def test_a_logo_comes_as_a_file_and_goes_again() -> None:
    world = world_with_portal()
    colours = {"seen": '"4"', "design.brand": "#0B6E4F", "design.logo": LOGO}
    async with staff(world) as browser:
        file = {"logo_file": ("logo.svg", b"<svg/>", "image/svg+xml")}
        await browser.post(f"{PORTAL}/design", colours, files=file)
        assert written(world)["design"]["logo"] == "<svg/>"
        await browser.post(f"{PORTAL}/design", {**colours, "logo_gone": "yes"})
        assert written(world)["design"]["logo"] is None


async def test_a_preview_says_whether_colours_can_be_read_and_only_our_pages_frame_it() -> None:
    async with staff(world_with_portal()) as browser:
        kept = await browser.get(f"{PORTAL}/design/preview")
        typed = await browser.post(f"{PORTAL}/design/preview", {"design.brand": "#f0c000"})
        wrong = await browser.post(f"{PORTAL}/design/preview", {"design.brand": "red;}*{display:none"})
    assert "--brand:#0B6E4F" in kept.text
    assert "--brand:#f0c000;--brand-on:#000000;--brand-text:#907300" in typed.text
    darker = soup(typed).select_one("[data-darker]")
    assert darker is not None
    assert not darker.has_attr("hidden")
    assert "display:none" not in wrong.text
    for page in (kept, typed):
        assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "SAMEORIGIN"


async def test_own_texts_are_kept_by_key_and_an_empty_one_is_the_usual_again() -> None:
    own = {"start.welcome": {"de": "Moin", "en": "Hi"}, "old.key": {"de": "Alt", "en": "Old"}}
    world = world_with_portal(texts=own)
    typed = {
        "texts.start.welcome.de": "",
        "texts.start.welcome.en": "",
        "texts.sign_in.lead.de": "Moin!",
        "texts.old.key.de": "Alt",
        "texts.old.key.en": "Old",
    }
    async with staff(world) as browser:
        page = soup(await browser.get(f"{PORTAL}/texts"))
        assert page.select_one("[id='f-texts.sign_in.lead.de'][placeholder='Schön, dass Sie da sind.']") is not None
        assert page.find(id="f-texts.old.key.en").get_text(strip=True) == "Old"  # type: ignore[union-attr]
        assert page.find(id="f-texts.sign_in.staff_lead.de") is None
        await browser.post(f"{PORTAL}/texts", {"seen": '"4"', **typed})
    assert written(world)["texts"] == {"sign_in.lead": {"de": "Moin!", "en": ""}, "old.key": own["old.key"]}


async def test_a_new_portal_copies_another_and_never_overwrites_one() -> None:
    world = world_with_portal()
    world.answer("PUT", "portal", "/portals/households", {**portal(), "warnings": []})
    typed = {
        "portal": "households",
        "audience": "customer",
        "name.de": "Haushalte",
        "name.en": "Households",
        "url": "https://households.example",
        "copy": "customers",
    }
    async with staff(world) as browser:
        done = await browser.post("/portals/new", typed)
        assert done.headers["location"] == "/portals/households/general"
        (call,) = world.calls_to("PUT", "portal", "/portals/households")
        assert call.headers["If-Match"] == '"0"'
        assert (call.body["portal"], call.body["name"]["de"], call.body["embed"]) == ("households", "Haushalte", [])
        assert call.body["actions"] == portal()["actions"]
        world.refuse("PUT", "portal", "/portals/households", 412, "precondition_failed")
        there = await browser.post("/portals/new", typed)
        assert "gibt es schon" in words(there)
        bad = await browser.post("/portals/new", {**typed, "portal": "../x"})
        assert bad.status_code == 422
    assert not [call for call in world.calls if ".." in call.path]


async def test_what_is_not_ours_or_not_there() -> None:
    world = world_with_portal()
    async with staff(world) as browser:
        assert (await browser.get("/portals/nowhere/general")).status_code == 404
        assert (await browser.get(f"{PORTAL}/actions/nothing")).status_code == 404
        forged = await browser.http.post(f"{PORTAL}/general", data=general())
        assert forged.status_code == 403
        assert not world.calls_to("PUT", "portal", PORTAL)
        world.away.add("portal")
        assert (await browser.get(f"{PORTAL}/general")).status_code == 503


async def test_pressing_twice_is_one_change() -> None:
    world = world_with_portal()
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/general", general())
        await browser.post(f"{PORTAL}/general", general())
    first, second = world.calls_to("PUT", "portal", PORTAL)
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
