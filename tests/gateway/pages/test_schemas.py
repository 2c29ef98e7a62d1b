"""Schemas: read as a page, changed as a document whose mistakes have lines."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager

from gateway.pages.staff.schemas import line_of
from tests.gateway.pages.settings_world import CONTRACT, staff, world_with_portal
from tests.gateway.world import Browser, World, words

EDIT = "/schemas/contract/edit"
API = "/schemas/contract"


def world_with_schema() -> World:
    world = world_with_portal()
    world.answer("GET", "entities", API, CONTRACT, ETag='"3"')
    world.answer("PUT", "entities", API, {"entity": "contract", "schema_version": 4})
    return world


def visit(world: World) -> AbstractAsyncContextManager[Browser]:
    return staff(world)


async def test_a_schema_is_shown_group_by_group() -> None:
    async with visit(world_with_schema()) as browser:
        assert "Vertrag" in words(await browser.get("/schemas"))
        page = words(await browser.get("/schemas/contract"))
    for word in ("Laufzeit und Frist", "Vertragsnummer", "Eindeutig", "Personenbezogen", "Kundenservice", "Beendet"):
        assert word in page


async def test_a_document_is_published_for_the_version_that_was_seen() -> None:
    world = world_with_schema()
    written = json.dumps(CONTRACT, indent=2)
    async with visit(world) as browser:
        page = await browser.get(EDIT)
        assert "&#34;3&#34;" in page.text
        done = await browser.post(EDIT, {"seen": '"3"', "document": written})
        assert done.headers["location"] == "/schemas/contract"
    (call,) = world.calls_to("PUT", "entities", API)
    assert (call.body, call.headers["If-Match"]) == (CONTRACT, '"3"')


async def test_mistakes_have_lines_and_what_was_typed_stays() -> None:
    world = world_with_schema()
    mistakes = [{"path": "attributes.notice.type", "detail": "Diese Art gibt es nicht."}]
    world.refuse("PUT", "entities", API, 422, "invalid_document", mistakes=mistakes)
    typed = '{\n "entity": "contract",\n "attributes": {\n  "notice": {"type": "perid"}\n }\n}'
    async with visit(world) as browser:
        page = await browser.post(EDIT, {"seen": '"3"', "document": typed})
        assert page.status_code == 422
        assert "Zeile 4, attributes.notice.type : Diese Art gibt es nicht." in words(page)
        assert "perid" in page.text
        broken = await browser.post(EDIT, {"seen": '"3"', "document": '{\n "entity": ,\n}'})
        assert "Das ist kein gültiges JSON Zeile 2" in words(broken)
    assert len(world.calls_to("PUT", "entities", API)) == 1


async def test_somebody_was_faster() -> None:
    world = world_with_schema()
    world.refuse("PUT", "entities", API, 412, "precondition_failed")
    async with visit(world) as browser:
        page = await browser.post(EDIT, {"seen": '"2"', "document": "{}"})
        assert page.status_code == 412
        assert "Jemand war schneller" in words(page)
        assert "&#34;3&#34;" in page.text


async def test_a_new_entity_is_named_by_its_document_and_overwrites_none() -> None:
    world = world_with_schema()
    world.answer("PUT", "entities", "/schemas/lamp", {"entity": "lamp", "schema_version": 1})
    async with visit(world) as browser:
        assert "meter" in (await browser.get("/schemas/new")).text
        done = await browser.post("/schemas/new", {"seen": '"0"', "document": '{"entity": "lamp"}'})
        assert done.headers["location"] == "/schemas/lamp"
        assert (await browser.http.post(EDIT, data={"document": "{}"})).status_code == 403
        assert (await browser.get("/schemas/nothing")).status_code == 404
    assert world.calls_to("PUT", "entities", "/schemas/lamp")[0].headers["If-Match"] == '"0"'


def test_the_line_of_a_path_is_that_of_its_last_known_part() -> None:
    text = '{\n "a": {\n  "b": 1\n },\n "c": 2\n}'
    assert [line_of(text, path) for path in ("a.b", "c", "a.nothing", "")] == [3, 5, 2, 1]
