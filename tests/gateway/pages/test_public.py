"""What anybody may do: sign in, register, open links of mails; and that nobody learns who has an account."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.boxes import Box
from gateway.pages.public.logo import POLICY
from tests.gateway.world import CUSTOMERS, SESSION, STAFF, World, appearance, member, soup, user, visiting, words

SESSIONS = "/portals/customers/sessions"
SIGNED_IN = {"email": "anna@example.org", "password": "a long sentence "}
LINK = {"kind": "activation", "state": "open", "portal_id": "customers", "needs_password": False}
KEY = bytes(32)


def stands(status: str, session: str | None = SESSION) -> dict[str, object]:
    return {"status": status, "session": session, "user_id": "u-1", "language": "de", "ask": [], "tries_left": None}


def answer_link(world: World, path: str, **facts: object) -> None:
    expires_at = datetime.now(UTC).isoformat()
    world.answer("GET", "identity", path, {**LINK, "expires_at": expires_at, **facts})


def kept(response: httpx.Response) -> dict[str, str]:
    """The hidden and other fields of the first form in the main part, as a browser would send them."""
    form = soup(response).select_one("main form#kept, main form#sign-in")
    assert form is not None, response.text
    return {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}


async def test_the_password_is_sent_as_it_was_typed_and_the_session_is_in_a_cookie() -> None:
    world = World()
    world.answer("POST", "identity", SESSIONS, stands("ready"))
    async with visiting(world) as browser:
        done = await browser.post("/sign-in", {**SIGNED_IN, "next": "/contracts/c-1?x=1"})
        assert (done.status_code, done.headers["location"]) == (303, "/contracts/c-1?x=1")
        (cookie,) = [each for each in done.headers.get_list("set-cookie") if "session" in each]
        assert cookie == f"__Host-session={SESSION}; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax"
        assert world.calls_to("POST", "identity", SESSIONS)[0].body == SIGNED_IN
        elsewhere = await browser.post("/sign-in", {**SIGNED_IN, "next": "//evil.example"})
        assert elsewhere.headers["location"] == "/"


async def test_a_wrong_password_says_the_same_for_everybody_and_keeps_the_address() -> None:
    world = World()
    world.refuse("POST", "identity", SESSIONS, 401, "sign_in_refused")
    async with visiting(world) as browser:
        page = await browser.post("/sign-in", {**SIGNED_IN, "next": "/tasks"})
        assert page.status_code == 401
        assert "Sentence of sign_in_refused." in words(page)
        assert "a long sentence" not in page.text
        assert (kept(page)["email"], kept(page)["next"]) == ("anna@example.org", "/tasks")


@pytest.mark.parametrize(
    ("status", "sentence"), [("blocked", "Dieser Zugang ist gesperrt"), ("expired", "Ihr Zugang ist abgelaufen")]
)
async def test_whoever_may_not_come_in_gets_no_session(status: str, sentence: str) -> None:
    world = World()
    world.answer("POST", "identity", SESSIONS, stands(status, None))
    async with visiting(world) as browser:
        page = await browser.post("/sign-in", SIGNED_IN)
        assert (page.status_code, sentence in words(page)) == (403, True)
        assert "__Host-session" not in str(page.headers)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [("waiting", "Wir sehen uns Ihre Anmeldung an"), ("unknown", "Unter dieser Adresse kennen wir niemanden")],
)
async def test_whoever_has_to_wait_is_told_why_on_every_page(status: str, sentence: str) -> None:
    async with visiting(World(), owner=user(status)) as browser:
        assert (await browser.get("/contracts")).headers["location"] == "/waiting"
        page = await browser.get("/waiting")
        assert sentence in words(page)
        assert soup(page).select_one("main form[action='/sign-out']")
        assert (await browser.get("/identify")).headers["location"] == "/waiting"


async def test_what_was_sent_when_the_session_was_over_is_offered_again_after_signing_in() -> None:
    world = World()
    world.answer("POST", "identity", SESSIONS, stands("ready"))
    async with visiting(world) as browser:
        over = await browser.post("/security/password", {"password": "<new>", "current_password": "old"})
        assert (over.status_code, "Ihre Sitzung ist zu Ende" in words(over)) == (401, True)
        assert "&lt;new&gt;" not in over.text
        page = await browser.post("/sign-in", {**SIGNED_IN, "kept": kept(over)["kept"]})
        assert "Ihre Angaben sind noch da" in words(page)
        form = soup(page).select_one("form#kept")
        assert form is not None
        assert form["action"] == "/security/password"
        assert (kept(page)["password"], kept(page)["current_password"]) == ("<new>", "old")
        foreign = await browser.post("/sign-in", {**SIGNED_IN, "kept": "made-up"})
        assert foreign.headers["location"] == "/"


async def test_signing_out_ends_the_session_at_identity_too() -> None:
    world = World()
    world.answer("POST", "identity", "/sessions/end", status=204)
    async with visiting(world, owner=user()) as browser:
        done = await browser.post("/sign-out")
        assert done.headers["location"] == "/sign-in"
        assert world.calls_to("POST", "identity", "/sessions/end")[0].body == {"session": SESSION}
        assert "__Host-session=; Path=/; Max-Age=0" in str(done.headers.get_list("set-cookie"))


async def test_staff_sign_in_at_their_own_site() -> None:
    world = World()
    world.answer("POST", "identity", "/staff/sessions", {"session": SESSION, "staff_id": "s-1"})
    async with visiting(world, STAFF) as browser:
        assert "Anmelden für das Team" in words(await browser.get("/sign-in"))
        assert (await browser.get("/register")).status_code == 404
        assert (await browser.post("/sign-in", {**SIGNED_IN, "next": "/users"})).headers["location"] == "/users"
        world.owner = member()
        assert (await browser.get("/sign-in?next=/users")).headers["location"] == "/users"


async def test_a_form_that_is_not_ours_changes_nothing() -> None:
    world = World()
    async with visiting(world) as browser:
        page = await browser.http.post("/sign-in", data=SIGNED_IN)
        assert (page.status_code, "Es wurde nichts geändert" in words(page)) == (403, True)
        assert world.calls_to("POST", "identity", SESSIONS) == []


REGISTRATION = {
    "already_customer": "no",
    "name": "Emily Harper",
    "email": "emily@example.org",
    "password": "four quiet lanterns",
    "language": "en",
}


async def test_registering_leads_to_the_inbox_whatever_is_known_of_the_address() -> None:
    world = World()
    world.answer("POST", "identity", "/portals/customers/registrations", {"status": "check_mailbox"}, 202)
    world.answer("POST", "identity", "/portals/customers/activation-mails", {"status": "check_mailbox"}, 202)
    async with visiting(world) as browser:
        done = await browser.post("/register", REGISTRATION)
        twice = await browser.post("/register", REGISTRATION)
        (first, second) = world.calls_to("POST", "identity", "/portals/customers/registrations")
        assert first.body == {**REGISTRATION, "already_customer": False}
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        address = urlsplit(done.headers["location"])
        assert (address.path, "emily" in address.query) == ("/check-inbox", False)
        assert urlsplit(twice.headers["location"]).path == "/check-inbox"
        page = await browser.get(done.headers["location"])
        assert "emily@example.org" in words(page)
        assert "Please check your inbox" in words(page), "the language that was chosen is spoken from now on"
        again = await browser.post("/check-inbox", {"for": parse_qs(address.query)["for"][0]})
        assert "on its way once more" in words(await browser.get(again.headers["location"]))
        sent = world.calls_to("POST", "identity", "/portals/customers/activation-mails")
        assert [call.body for call in sent] == [{"email": "emily@example.org"}]


async def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost_but_the_password() -> None:
    world = World()
    world.refuse("POST", "identity", "/portals/customers/registrations", 422, "invalid_password_short")
    async with visiting(world) as browser:
        empty = await browser.post("/register", {"password": "x"})
        assert empty.status_code == 422
        assert "Bitte geben Sie Ihren Namen ein." in words(empty)
        again = soup(empty).select_one(".errors a[href='#f-password']")
        assert again is not None
        assert again.get_text() == "Bitte geben Sie Ihr Passwort noch einmal ein."
        assert "Bitte geben Sie ein Passwort ein." in words(await browser.post("/register"))
        assert world.calls_to("POST", "identity", "/portals/customers/registrations") == []
        page = await browser.post("/register", REGISTRATION)
        mistake = soup(page).select_one("#f-password-error")
        assert mistake is not None
        assert "Sentence of invalid_password_short." in mistake.get_text()
        assert soup(page).select_one("#f-name[value='Emily Harper']")
        assert "four quiet lanterns" not in page.text


async def test_a_forgotten_password_is_answered_alike_and_a_wrong_address_is_said() -> None:
    world = World()
    world.answer("POST", "identity", "/portals/customers/password-resets", {"status": "check_mailbox"}, 202)
    async with visiting(world) as browser:
        done = await browser.post("/forgot", {"email": "emily@example.org"})
        page = await browser.get(done.headers["location"])
        assert "Gibt es einen Zugang mit dieser Adresse" in words(page)
        world.refuse("POST", "identity", "/portals/customers/password-resets", 422, "invalid_email")
        wrong = await browser.post("/forgot", {"email": "emily"})
        assert (wrong.status_code, "Sentence of invalid_email." in words(wrong)) == (422, True)


async def test_opening_an_activation_uses_nothing_up_and_the_button_does() -> None:
    world = World()
    answer_link(world, "/activations/t-1")
    world.answer("POST", "identity", "/activations", stands("ready"))
    async with visiting(world) as browser:
        page = await browser.get("/activate/t-1")
        assert (page.status_code, world.calls_to("POST", "identity", "/activations")) == (200, [])
        assert soup(page).select_one("#f-password") is None
        done = await browser.post("/activate/t-1")
        assert world.calls_to("POST", "identity", "/activations")[0].body == {"token": "t-1"}
        assert "Ihre E-Mail-Adresse ist bestätigt" in words(await browser.get(done.headers["location"]))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"state": "used"}, "Ihre E-Mail-Adresse ist bestätigt, Sie können sich anmelden."),
        ({"state": "expired"}, "Dieser Link ist abgelaufen"),
        ({"portal_id": "installers"}, "Dieser Link ist nicht gültig"),
        ({"kind": "reset"}, "Dieser Link ist nicht gültig"),
    ],
)
async def test_a_link_that_is_no_longer_good_says_what_to_do(facts: dict[str, str], sentence: str) -> None:
    world = World()
    answer_link(world, "/activations/t-1", **facts)
    async with visiting(world) as browser:
        page = await browser.get("/activate/t-1")
        assert (page.status_code, sentence in words(page)) == (410, True)


async def test_an_invitation_asks_for_a_password() -> None:
    world = World()
    answer_link(world, "/activations/t-2", kind="invitation", needs_password=True)
    world.refuse("POST", "identity", "/activations", 422, "invalid_password_common")
    async with visiting(world) as browser:
        assert "Mein Lindenau" in words(await browser.get("/invitations/t-2"))
        wrong = await browser.post("/invitations/t-2", {"password": "password"})
        assert "Sentence of invalid_password_common." in words(wrong)
        world.refuse("POST", "identity", "/activations", 409, "link_used")
        assert "schon benutzt" in words(await browser.post("/invitations/t-2", {"password": "x"}))


async def test_a_new_password_is_for_users_on_portals_and_for_staff_on_their_site() -> None:
    world = World()
    answer_link(world, "/passwords/t-3", kind="staff_password", portal_id=None, needs_password=True)
    world.answer("POST", "identity", "/passwords", status=204)
    async with visiting(world) as browser:
        assert (await browser.get("/reset/t-3")).status_code == 410
    async with visiting(world, STAFF) as browser:
        assert (await browser.get("/reset/t-3")).status_code == 200
        done = await browser.post("/reset/t-3", {"password": "a new long sentence"})
        assert done.headers["location"] == "/sign-in"
        body = {"token": "t-3", "password": "a new long sentence"}
        assert world.calls_to("POST", "identity", "/passwords")[0].body == body


ASK = [{"path": "contact.customer_number", "label": "Kundennummer"}]


async def test_the_second_identification_counts_its_tries() -> None:
    world = World()
    world.answer("POST", "identity", "/identifications", {**stands("identify"), "ask": ASK, "tries_left": 1})
    async with visiting(world, owner=user("identify", ask=ASK, tries_left=4)) as browser:
        assert (await browser.get("/")).headers["location"] == "/identify"
        page = words(await browser.get("/identify"))
        assert "Kundennummer" in page
        assert "Sie haben noch 4 Versuche." in page
        assert (await browser.post("/identify")).status_code == 422
        wrong = await browser.post("/identify", {"contact.customer_number": "K-9"})
        (call,) = world.calls_to("POST", "identity", "/identifications")
        assert call.body == {"session": SESSION, "answers": {"contact.customer_number": "K-9"}}
        assert "Das passt leider nicht" in words(wrong)
        assert "Das ist Ihr letzter Versuch." in words(wrong)
        world.refuse("POST", "identity", "/identifications", 409, "no_tries_left")
        last = await browser.post("/identify", {"contact.customer_number": "K-8"})
        assert last.headers["location"] == "/waiting"
        world.answer("POST", "identity", "/identifications", stands("ready"))
        right = await browser.post("/identify", {"contact.customer_number": "K-1"})
        assert right.headers["location"] == "/"


async def test_the_language_stays_and_leads_back() -> None:
    async with visiting(World()) as browser:
        done = await browser.post("/language", {"language": "en", "next": "/forgot?x=1"})
        assert done.headers["location"] == "/forgot?x=1"
        assert "Forgot your password?" in words(await browser.get("/forgot"))
        await browser.post("/language", {"language": "xx"})
        assert "Forgot your password?" in words(await browser.get("/forgot"))


def present(world: World, **look: object) -> None:
    """The portal of the customers looks like this from now on."""
    world.answer("GET", "portal", "/appearances", {"items": [{**appearance("customers"), **look}]})


async def test_a_portal_that_is_switched_off_shows_nothing_but_that() -> None:
    world = World()
    present(world, enabled=False)
    async with visiting(world, owner=user()) as browser:
        for path in ("/", "/sign-in", "/contracts/c-1", "/nothing"):
            page = await browser.get(path)
            assert (page.status_code, "zurzeit geschlossen" in words(page)) == (503, True), path
        assert (await browser.get("/imprint")).status_code == 200


async def test_texts_and_logo_are_the_portals_own() -> None:
    world = World()
    logo = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 32"></svg>'
    texts = {"imprint.body": {"de": "# Wir\n\nStadtwerke <Lindenau>", "en": "x"}}
    present(world, logo=logo, texts=texts)
    async with visiting(world) as browser:
        page = soup(await browser.get("/imprint"))
        assert [heading.get_text() for heading in page.select(".prose h2")] == ["Wir"]
        assert "Stadtwerke <Lindenau>" in page.get_text()
        shown = soup(await browser.get("/sign-in")).select_one("img[src^='/logo.svg?v=']")
        assert shown is not None
        found = await browser.get(str(shown["src"]))
        assert (found.text, found.headers["content-type"]) == (logo, "image/svg+xml")
        assert found.headers["content-security-policy"] == POLICY
        assert "immutable" in found.headers["cache-control"]
        assert "immutable" not in (await browser.get("/logo.svg?v=old")).headers["cache-control"]
        assert ">M</text>" in (await browser.get("/favicon.svg")).text
        assert "Disallow: /" in (await browser.get("/robots.txt")).text


async def test_the_index_is_for_developers_only() -> None:
    async with visiting(World(), "localhost") as browser:
        assert (await browser.get("/")).status_code == 404
    async with visiting(World(development=True), "localhost") as browser:
        page = await browser.get("/")
        links = {str(link["href"]) for link in soup(page).select("main a")}
        assert {f"https://{CUSTOMERS}", f"https://{STAFF}"} <= links


async def test_while_identity_is_away_a_page_says_so() -> None:
    world = World()
    async with visiting(world) as browser:
        await browser.get("/sign-in")
        world.away = {"identity"}
        page = await browser.post("/sign-in", SIGNED_IN)
        assert (page.status_code, "Wir sind gleich wieder da" in words(page)) == (503, True)


async def test_while_nothing_answers_no_portal_is_said_not_to_exist() -> None:
    async with visiting(World(away={"identity", "portal"})) as browser:
        page = await browser.get("/contracts")
        assert (page.status_code, "Wir sind gleich wieder da" in words(page)) == (503, True)


async def test_a_sealed_text_of_one_kind_is_not_taken_for_another() -> None:
    sealed = Box(KEY).seal({"path": "/x", "sent": []})
    async with visiting(World()) as browser:
        assert (await browser.get(f"/check-inbox?for={sealed}")).status_code == 200
        assert (await browser.get(f"/acting/begin?handover={sealed}")).status_code == 410
        browser.http.cookies.set("__Host-acting", sealed)
        assert (await browser.get("/contracts")).headers["location"] == "/sign-in?next=/contracts"


async def test_how_customer_service_is_reached_is_said_where_it_is_needed() -> None:
    world = World()
    world.answer("POST", "identity", SESSIONS, stands("blocked", None))
    async with visiting(world) as browser:
        for page in (await browser.post("/sign-in", SIGNED_IN), await browser.get("/imprint")):
            assert "stehen auf Ihrer Rechnung" in words(page)
    present(world, texts={"contact.how": {"de": "Rufen Sie 030 23125 100 an.", "en": "x"}})
    async with visiting(world) as browser:
        for page in (await browser.post("/sign-in", SIGNED_IN), await browser.get("/imprint")):
            assert "Rufen Sie 030 23125 100 an." in words(page)
