"""What somebody sees of himself and changes, his password, and who acted as him."""

from __future__ import annotations

from typing import Any

from tests.gateway.world import SESSION, World, soup, user, visiting, words

CONTACT = "/records/contact/c-1"
ACTED = "/users/me/impersonations"


def attribute(name: str, type_: str, value: Any, *, editable: bool = True, **more: Any) -> dict[str, Any]:
    label = {"de": name.capitalize(), "en": name.capitalize()}
    return {
        "name": name, "label": label, "type": type_, "value": value, "text": None, "options": [],
        "editable": editable, **more,
    }  # fmt: skip


def me(*attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "user": {"id": "u-1", "email": "anna@example.org", "name": "Anna Sommer", "language": "de"},
        "portal": {"id": "customers", "name": {"de": "Mein Lindenau", "en": "My Lindenau"}, "url": "https://x"},
        "contact": {"id": "c-1"},
        "groups": [{"id": "reach", "label": {"de": "Erreichbarkeit", "en": "Reach"}, "attributes": list(attributes)}],
        "actions": [{"id": "move", "title": {"de": "Umzug melden", "en": "Report a move"}, "journey_id": "move"}],
    }


PHONE = attribute("phone", "phone", "030 1")
EMAIL = attribute("email", "email", "anna@example.org")
OPTIONS = [{"value": value, "label": {"de": value.upper(), "en": value.upper()}} for value in ("a", "b")]


def world_of(*attributes: dict[str, Any]) -> World:
    world = World()
    world.answer("GET", "portal", "/me", me(*attributes))
    world.answer("PATCH", "entities", CONTACT, {"id": "c-1", "effect": "updated", "version": 2})
    world.answer("GET", "identity", ACTED, {"items": []})
    return world


async def test_a_profile_shows_what_is_known_and_offers_what_may_be_changed() -> None:
    fixed = attribute("customer_number", "text", "K-1", editable=False)
    async with visiting(world_of(PHONE, fixed), owner=user()) as browser:
        page = await browser.get("/profile")
        for said in ("Anna Sommer", "anna@example.org", "Mein Lindenau", "030 1", "K-1", "Umzug melden"):
            assert said in words(page)
        assert soup(page).select_one("main a[href='/profile/reach']")
        form = soup(await browser.get("/profile/reach"))
        assert [str(each["name"]) for each in form.select("#profile input[name^='value.']")] == ["value.phone"]
        assert (await browser.get("/profile/elsewhere")).status_code == 404
    async with visiting(world_of(fixed), owner=user()) as browser:
        assert not soup(await browser.get("/profile")).select("main a[href='/profile/reach']")
        assert (await browser.post("/profile/reach", {"value.customer_number": "K-2"})).status_code == 404


async def test_only_what_is_different_is_sent_in_the_form_of_its_type() -> None:
    attributes = (
        PHONE,
        attribute("note", "text", "old"),
        attribute("paperless", "boolean", False),
        attribute("colours", "choices", ["a"], options=OPTIONS),
        attribute("floor", "number", 3),
    )
    world = world_of(*attributes)
    async with visiting(world, owner=user()) as browser:
        given = {"value.phone": "030 1", "value.note": "", "value.paperless": "yes", "value.colours": ["a", "b"]}
        done = await browser.post("/profile/reach", {**given, "value.floor": "3"})
        assert done.headers["location"] == "/profile"
        (call,) = world.calls_to("PATCH", "entities", CONTACT)
        assert call.body == {"note": None, "paperless": True, "colours": ["a", "b"]}
        assert call.headers["idempotency-key"].startswith("a-press-of-the-button-")
        same = {"value.phone": "030 1", "value.note": "old", "value.paperless": "no", "value.colours": "a"}
        await browser.post("/profile/reach", {**same, "value.floor": "3"})
        assert len(world.calls_to("PATCH", "entities", CONTACT)) == 1


async def test_a_value_that_is_refused_is_kept_with_the_reason_at_its_field() -> None:
    world = world_of(PHONE)
    detail = "phone: Das ist keine Telefonnummer."
    world.refuse("PATCH", "entities", CONTACT, 422, "invalid_phone", attribute="phone", detail=detail)
    async with visiting(world, owner=user()) as browser:
        page = await browser.post("/profile/reach", {"value.phone": "abc"})
        assert page.status_code == 422
        mistake = soup(page).find(id="f-value.phone-error")
        assert mistake is not None
        assert mistake.get_text(" ").split() == ["Fehler:", "Das", "ist", "keine", "Telefonnummer."]
        assert soup(page).select_one("input[value=abc]")


NEW = {"current_password": " old one", "password": "a new long sentence"}


async def test_another_password_ends_the_session() -> None:
    world = world_of()
    world.answer("POST", "identity", "/passwords", status=204)
    async with visiting(world, owner=user()) as browser:
        done = await browser.post("/security/password", NEW)
        (call,) = world.calls_to("POST", "identity", "/passwords")
        assert call.body == {**NEW, "session": SESSION}
        assert done.headers["location"] == "/sign-in?next=/security"
        assert "__Host-session=; Path=/; Max-Age=0" in str(done.headers.get_list("set-cookie"))
        world.owner = {}
        assert "Ihr neues Passwort gilt." in words(await browser.get("/sign-in"))


async def test_a_wrong_password_is_told_apart_from_a_bad_new_one() -> None:
    world = world_of()
    async with visiting(world, owner=user()) as browser:
        for code, status, name, sentence in (
            ("sign_in_refused", 401, "current_password", "Das bisherige Passwort stimmt nicht."),
            ("invalid_password_short", 422, "password", "Sentence of invalid_password_short."),
        ):
            world.refuse("POST", "identity", "/passwords", status, code)
            page = await browser.post("/security/password", NEW)
            mistake = soup(page).find(id=f"f-{name}-error")
            assert mistake is not None
            assert (page.status_code, sentence in mistake.get_text()) == (status, True)
            assert "a new long sentence" not in page.text


async def test_a_user_sees_who_acted_as_him() -> None:
    world = world_of()
    once = {"impersonation_id": "i", "started_at": "2026-11-21T14:12:00Z", "ended_at": "2026-11-21T14:15:00Z"}
    items = [
        {**once, "staff_name": "Maria Kern", "reason": "Anruf zur <Rechnung>"},
        {**once, "staff_name": None, "reason": "Frage"},
    ]
    async with visiting(world, owner=user()) as browser:
        never = await browser.get("/security")
        assert "Das ist bisher nicht vorgekommen." in words(never)
        assert soup(never).select_one(".bottom-more > summary[aria-current]"), "it is below More"
        world.answer("GET", "identity", ACTED, {"items": items})
        page = words(await browser.get("/security"))
        for said in ("Maria Kern", "Anruf zur <Rechnung>", "21.11.2026, 15:12", "Ein Mitglied unseres Teams"):
            assert said in page


async def test_a_group_of_which_nothing_is_known_is_left_out_unless_it_may_be_filled() -> None:
    empty = attribute("street", "text", None, editable=False)
    async with visiting(world_of(empty), owner=user()) as browser:
        assert "Erreichbarkeit" not in words(await browser.get("/profile"))
    async with visiting(
        world_of(attribute("phone", "phone", None)), owner=user(language="en"), language="en"
    ) as browser:
        said = words(await browser.get("/profile"))
        assert "We have nothing here for you yet." in said
        assert "Change reach" in said
