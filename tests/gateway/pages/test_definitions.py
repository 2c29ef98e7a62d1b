"""Journeys and processes as staff write them: tried while they are typed, compared, and published knowingly."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.documents import lay_out
from services.entities.app import PACKAGED
from tests.gateway.world import STAFF, Call, World, member, soup, visiting, words

DOCUMENT = {
    "journey": "moving",
    "title": {"de": "Umzug", "en": "Moving"},
    "steps": [{"id": "when", "fields": {"day": {"type": "date", "label": {"de": "Tag", "en": "Day"}}}}],
}
CHANGED = {**DOCUMENT, "title": {"de": "Auszug", "en": "Moving out"}}
FORM = {
    "journey": "moving",
    "version": 0,
    "title": {"de": "Umzug", "en": "Moving"},
    "description": None,
    "access": "portal",
    "context": None,
    "submit": {"de": "jetzt umziehen", "en": "move now"},
    "confirmation": None,
    "steps": [
        {
            "id": "when",
            "title": {"de": "Wann ziehen Sie um?", "en": "When do you move?"},
            "text": None,
            "when": [{"contract.status": {"is": "active"}}],
            "schema": {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}},
            "ui": [{"field": "day", "type": "date", "label": {"de": "Tag", "en": "Day"}, "required": True}],
        }
    ],
}
PLAN = {
    "process": "checking",
    "title": {"de": "Prüfung", "en": "Check"},
    "on": "contract",
    "steps": [
        {
            "id": "look",
            "title": {"de": "Wir sehen nach", "en": "We look"},
            "description": None,
            "info": {"customer": {"de": "Einen Moment.", "en": "One moment."}, "installer": None},
            "shown_to": ["customer"],
            "journey": None,
            "done_on": "confirm",
            "assign": {"kind": "group", "group": "metering"},
            "due_days": 3,
            "when": [],
            "automation": [],
        }
    ],
}
WRONG = [{"path": "steps.0.fields.day.type", "detail": "muss date sein"}]
HERE = "/definitions/journeys/moving"


@pytest.fixture
def world() -> World:
    world = World()
    world.answer("GET", "journeys", "/journeys", {"items": [DOCUMENT], "next": None})
    world.answer("GET", "journeys", "/journeys/moving", DOCUMENT, ETag='"4"')
    world.answer("POST", "journeys", "/journeys/moving/form", FORM)
    world.answer("PUT", "journeys", "/journeys/moving", CHANGED, Portico_Position="journeys/1:9")
    return world


async def test_journeys_are_listed_and_shown_beside_their_document(world: World) -> None:
    async with visiting(world, STAFF, owner=member()) as browser:
        listed = await browser.get("/definitions/journeys")
        assert soup(listed).select_one(f"a[href='{HERE}']")
        page = await browser.get(HERE)
        text = soup(page).select_one("textarea")
        assert text is not None
        assert text.get_text().strip() == lay_out(DOCUMENT)
        for said in ("Wann ziehen Sie um?", "Tag", "jetzt umziehen", "contract.status", "Das Dokument ist in Ordnung"):
            assert said in words(page)


async def test_conditions_are_said_in_words(world: World) -> None:
    contract = dict(PACKAGED["contract"].document)
    world.answer("GET", "entities", "/schemas", {"items": [contract]})
    options = [{"value": "moving", "label": {"de": "Ich ziehe um", "en": "I am moving"}}]
    why = {"field": "why", "type": "choice", "label": {"de": "Warum?", "en": "Why?"}, "options": options}
    (step,) = FORM["steps"]
    day = {**step["ui"][0], "when": [{"answers.why": {"is": "moving"}}, {"any": [{"answers.why": {"exists": True}}]}]}
    world.answer("POST", "journeys", "/journeys/moving/form", {**FORM, "steps": [{**step, "ui": [why, day]}]})
    async with visiting(world, STAFF, owner=member()) as browser:
        page = words(await browser.get(HERE))
    for said in ("nur wenn Status (Vertrag) ist Aktiv", "nur wenn Warum? ist Ich ziehe um und {", '"exists": true'):
        assert said in page


async def test_a_document_that_cannot_be_read_is_named_by_its_published_title(world: World) -> None:
    async with visiting(world, STAFF, owner=member()) as browser:
        page = soup(await browser.post(HERE, {"document": "{", "etag": '"4"'}))
        assert [each.get_text() for each in page.select("h1, .header code")] == ["Umzug", "moving"]
        withdraw = await browser.get(f"{HERE}/withdraw")
        assert "„Umzug“ zurückziehen?" in words(withdraw)


async def test_mistakes_are_told_with_their_lines(world: World) -> None:
    world.refuse("POST", "journeys", "/journeys/moving/form", 422, "invalid_document", mistakes=WRONG)
    async with visiting(world, STAFF, owner=member()) as browser:
        page = await browser.post(HERE, {"document": lay_out(DOCUMENT), "etag": '"4"', "do": "review"})
        assert page.status_code == 422
        link = soup(page).select_one("[data-line]")
        assert link is not None
        line = lay_out(DOCUMENT).splitlines()[int(str(link["data-line"])) - 1]
        assert ('"day"' in line, "muss date sein" in words(page)) == (True, True)
        assert soup(page).select_one(".preview") is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"journey": "moving",\n  "title": }', "2", "kein gültiges JSON"),
        ("[1, 2]", "1", "geschweiften Klammer"),
        ("[" * 20_000, "1", "verschachtelt"),
    ],
)
async def test_a_text_that_is_no_document_is_told_without_asking(world: World, text: str, line: str, said: str) -> None:
    async with visiting(world, STAFF, owner=member()) as browser:
        page = await browser.post(HERE, {"document": text, "etag": '"4"'})
        assert (page.status_code, said in words(page)) == (422, True)
        found = soup(page).select_one("[data-line]")
        assert found is not None
        assert found["data-line"] == line
        assert world.calls_to("POST", "journeys", "/journeys/moving/form") == []


async def test_publishing_shows_what_changes_and_names_the_version_that_was_read(world: World) -> None:
    async with visiting(world, STAFF, owner=member()) as browser:
        text = lay_out(CHANGED).replace("\n", "\r\n")
        review = await browser.post(HERE, {"document": text, "etag": '"4"', "do": "review"})
        gone, new = (soup(review).select_one(f".difference-{kind} code") for kind in ("gone", "new"))
        assert gone is not None
        assert new is not None
        assert ("Umzug" in gone.get_text(), "Auszug" in new.get_text()) == (True, True)
        assert world.calls_to("PUT", "journeys", "/journeys/moving") == []
        form = {each["name"]: each["value"] for each in soup(review).select("form#publish input[type=hidden]")}
        for _ in range(2):
            done = await browser.http.post(f"{HERE}/publish", data=form)
            assert done.headers["location"] == HERE
        puts = world.calls_to("PUT", "journeys", "/journeys/moving")
        assert [(each.headers["If-Match"], each.body) for each in puts] == [('"4"', CHANGED)] * 2
        assert len({each.headers["Idempotency-Key"] for each in puts}) == 1


async def test_what_somebody_else_published_meanwhile_is_not_overwritten(world: World) -> None:
    world.refuse("PUT", "journeys", "/journeys/moving", 412, "precondition_failed")
    world.answer("GET", "journeys", "/journeys/moving", {**DOCUMENT, "access": "public"}, ETag='"5"')
    async with visiting(world, STAFF, owner=member()) as browser:
        page = await browser.post(f"{HERE}/publish", {"document": lay_out(CHANGED), "etag": '"4"'})
        assert page.status_code == 412
        assert "Inzwischen hat jemand anderes veröffentlicht" in words(page)
        etag = soup(page).select_one("form#publish input[name=etag]")
        assert etag is not None
        assert etag["value"] == '"5"'


async def test_a_new_journey_takes_its_id_from_the_document(world: World) -> None:
    world.answers.pop(("GET", "journeys", "/journeys/moving"))
    async with visiting(world, STAFF, owner=member()) as browser:
        world.answer("POST", "journeys", "/journeys/call_back/form", FORM)
        assert "call_back" in (await browser.get("/definitions/journeys/new")).text
        review = await browser.post("/definitions/journeys/new", {"document": lay_out(DOCUMENT), "do": "review"})
        form = {each["name"]: each["value"] for each in soup(review).select("form#publish input[type=hidden]")}
        assert form["etag"] == '"0"'
        await browser.http.post(f"{HERE}/publish", data=form)
        (put,) = world.calls_to("PUT", "journeys", "/journeys/moving")
        assert put.headers["If-Match"] == '"0"'
        nameless = await browser.post("/definitions/journeys/new", {"document": '{"journey": "No id"}'})
        assert (nameless.status_code, "Kennung" in words(nameless)) == (422, True)


async def test_two_versions_are_compared(world: World) -> None:
    def versions(call: Call) -> httpx.Response:
        return httpx.Response(200, json=CHANGED if call.query.get("version") == "2" else DOCUMENT)

    told: list[dict[str, Any]] = [
        {"version": number, "published_at": "2026-11-22T09:00:00Z", "published_by": "staff/sam"} for number in (2, 1)
    ]
    world.answer("GET", "journeys", "/journeys/moving/versions", told)
    world.answers["GET", "journeys", "/journeys/moving"] = versions
    async with visiting(world, STAFF, owner=member()) as browser:
        page = await browser.get(f"{HERE}/versions")
        assert "Auszug" in soup(page).select_one(".difference-new code").get_text()  # type: ignore[union-attr]  # it is there
        same = await browser.get(f"{HERE}/versions?from=2&to=2")
        assert "keine Unterschiede" in words(same)
        assert (await browser.get(f"{HERE}/versions?from=9&to=x")).status_code == 200


async def test_withdrawing_asks_first(world: World) -> None:
    world.answer("DELETE", "journeys", "/journeys/moving", status=204)
    async with visiting(world, STAFF, owner=member()) as browser:
        assert "Niemand kann sie danach mehr beginnen" in words(await browser.get(f"{HERE}/withdraw"))
        done = await browser.post(f"{HERE}/withdraw", {"etag": '"4"'})
        assert done.headers["location"] == "/definitions/journeys"
        (call,) = world.calls_to("DELETE", "journeys", "/journeys/moving")
        assert call.headers["If-Match"] == '"4"'
        assert (await browser.get("/definitions/processes/checking/withdraw")).status_code == 404


async def test_a_process_is_shown_as_it_would_run(world: World) -> None:
    world.answer("GET", "processes", "/definitions/checking", {"process": "checking", "steps": []}, ETag='"1"')
    world.answer("POST", "processes", "/definitions/checking/plan", PLAN)
    async with visiting(world, STAFF, owner=member()) as browser:
        page = await browser.get("/definitions/processes/checking")
        for said in ("Wir sehen nach", "Einen Moment.", "Gruppe Metering", "3 Tage Zeit"):
            assert said in words(page)


async def test_only_staff_on_their_own_site_come_here(world: World) -> None:
    async with visiting(world, STAFF) as browser:
        assert (await browser.get(HERE)).headers["location"].startswith("/sign-in")
        assert (await browser.http.post(HERE, data={"document": "{}"})).status_code == 403
    async with visiting(world, owner=member()) as browser:
        assert (await browser.get(HERE)).status_code == 404
