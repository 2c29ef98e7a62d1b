"""The mail log: narrowing it down, what became of a mail, and sending it once more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.pages.settings_world import staff, world_with_portal
from tests.gateway.world import World, soup, words


def message(**facts: Any) -> dict[str, Any]:
    return {
        "id": "m-1",
        "state": "sent",
        "template": "receipt",
        "language": "de",
        "channel": "mail",
        "contact_id": "c-1",
        "recipient": "contact",
        "contract_id": None,
        "portal_id": "customers",
        "cause": "journeys/2:1",
        "attempts": 1,
        "created_at": "2026-11-22T02:03:49Z",
        "next_attempt_at": None,
        "settled_at": "2026-11-22T02:03:50Z",
        "reason": None,
        "reply": None,
        "explanation": None,
        **facts,
    }


HISTORY = [
    {
        "what": "failed",
        "at": "2026-11-22T02:03:50Z",
        "position": "notifications/1:1",
        "by": None,
        "attempts": 3,
        "reason": "smtp_refused",
        "recipient": "anna@example.org",
        "subject": "Ihr Anliegen",
    }
]


def world_with_mails(*messages: dict[str, Any], following: str | None = None) -> World:
    world = world_with_portal()
    world.answer("GET", "notifications", "/messages", {"items": list(messages), "next": following})
    infos = [{"template": "receipt", "needs_link": False, "variables": {}}]
    world.answer("GET", "notifications", "/templates", {"items": infos})
    anna = {"id": "c-1", "external_id": "K-1", "personal": {"first_name": "Anna", "last_name": "Sommer"}}
    world.answer("GET", "entities", "/records/contact/c-1", anna)
    world.answer("GET", "entities", "/records/contact/K-1", anna)
    world.answer("GET", "identity", "/users", {"items": [{"user_id": "u-1", "contact_id": "c-1"}], "next": None})
    return world


async def test_the_log_names_people_and_says_why_something_failed() -> None:
    failed = message(id="m-2", state="failed", explanation="Der Mailserver hat sie abgelehnt.", contact_id=None)
    async with staff(world_with_mails(message(), failed, following="more")) as browser:
        page = await browser.get("/mails")
    assert "Anna Sommer" in words(page)
    assert "Der Mailserver hat sie abgelehnt." in words(page)
    assert [str(link["href"]) for link in soup(page).select(".pagination a")] == ["/mails?cursor=more"]


async def test_filters_go_to_the_api_and_stay_with_the_next_page() -> None:
    world = world_with_mails(message(), following="more")
    asked = "status=sent&template=receipt&portal_id=customers&recipient=contact&since=2026-11-01&until=2026-11-30"
    async with staff(world) as browser:
        page = await browser.get(f"/mails?{asked}")
    (call,) = world.calls_to("GET", "notifications", "/messages")
    assert {**call.query} == {**dict(pair.split("=") for pair in asked.split("&")), "limit": "25"}
    (following,) = soup(page).select(".pagination a")
    assert str(following["href"]) == f"/mails?{asked}&cursor=more"
    chosen = soup(page).select_one("select[name=status] option[selected]")
    assert chosen is not None
    assert chosen["value"] == "sent"


@pytest.mark.parametrize(("who", "contact"), [("K-1", "c-1"), ("anna@example.org", "c-1"), ("K-9", None)])
async def test_a_recipient_is_found_by_number_or_address(who: str, contact: str | None) -> None:
    world = world_with_mails(message())
    async with staff(world) as browser:
        page = await browser.get(f"/mails?who={who}")
    asked = [call.query.get("contact_id") for call in world.calls_to("GET", "notifications", "/messages")]
    assert asked == ([contact] if contact else [])
    assert ("Keine passende Mail" in words(page)) == (contact is None)


async def test_nonsense_in_the_address_shows_nothing_and_breaks_nothing() -> None:
    world = world_with_mails()
    world.refuse("GET", "notifications", "/messages", 422, "invalid_cursor")
    async with staff(world) as browser:
        page = await browser.get("/mails?cursor=nonsense&since=never")
    assert page.status_code == 200
    assert "since" not in world.calls_to("GET", "notifications", "/messages")[0].query


async def test_a_mail_tells_its_story_and_is_sent_once_more_after_a_question() -> None:
    world = world_with_mails()
    failed = message(state="failed", reason="smtp_refused", explanation="Abgelehnt.", reply="550 5.1.1", attempts=3)
    world.answer("GET", "notifications", "/messages/m-1", {**failed, "history": HISTORY})
    world.answer("POST", "notifications", "/messages/m-1/resend", {"id": "m-1"}, 202)
    async with staff(world) as browser:
        page = await browser.get("/mails/m-1")
        for sentence in ("Abgelehnt.", "550 5.1.1", "anna@example.org", "Ihr Anliegen", "3. Versuch"):
            assert sentence in words(page)
        assert "noch einmal schicken?" in words(await browser.get("/mails/m-1/resend"))
        assert not world.calls_to("POST", "notifications", "/messages/m-1/resend")
        for _ in range(2):
            done = await browser.post("/mails/m-1/resend")
            assert done.headers["location"] == "/mails/m-1"
        assert (await browser.http.post("/mails/m-1/resend")).status_code == 403
        assert (await browser.get("/mails/nothing")).status_code == 404
    first, second = world.calls_to("POST", "notifications", "/messages/m-1/resend")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


async def test_a_mail_names_its_reader_and_its_contract() -> None:
    world = world_with_mails()
    world.answer("GET", "notifications", "/messages/m-1", {**message(contract_id="v-1"), "history": HISTORY})
    world.answer("GET", "entities", "/records/contract/v-1", {"id": "v-1", "external_id": "V-1003"})
    async with staff(world) as browser:
        page = soup(await browser.get("/mails/m-1"))
        links = {str(each["href"]): each.get_text() for each in page.select("main dd a")}
        assert (links["/contacts/c-1"], links["/contracts/v-1"]) == ("Anna Sommer", "V-1003")
        world.away.add("entities")
        assert "Zum Vertrag" in words(await browser.get("/mails/m-1"))


async def test_a_service_that_is_away_leaves_the_rest_of_the_page() -> None:
    world = world_with_mails(message())
    world.away.add("portal")
    async with staff(world) as browser:
        page = await browser.get("/mails")
        assert page.status_code == 200
        assert "Eingangsbestätigung" in words(page)
        world.away.add("notifications")
        page = await browser.get("/mails")
        assert "können wir gerade nicht zeigen" in words(page)
