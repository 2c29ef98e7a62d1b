"""`/schemas`: what contacts, contracts and other entities look like, to read, and to change as a document."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.portals.document import read_schemas
from gateway.routing import Pages
from gateway.visit import Refused, Visit

pages = Pages("staff")
Document = dict[str, Any]
CHANGED_MEANWHILE = 412
NEW_VERSION = '"0"'
EXAMPLE: Document = {
    "entity": "meter",
    "label": {"de": "Zähler", "en": "Meter"},
    "title": {"attribute": "number"},
    "groups": {"general": {"label": {"de": "Allgemein", "en": "General"}, "attributes": ["number", "built_in_on"]}},
    "attributes": {
        "number": {"type": "text", "unique": True, "label": {"de": "Zählernummer", "en": "Meter number"}},
        "built_in_on": {"type": "date", "label": {"de": "Eingebaut am", "en": "Built in on"}},
    },
    "relations": {"contract": {"to": "contract", "label": {"de": "Vertrag", "en": "Contract"}}},
}


@pages.get("/schemas")
async def schemas(visit: Visit) -> Response:
    return visit.show("staff/schemas.html", schemas=await read_schemas(visit))


@pages.get("/schemas/new")
async def new(visit: Visit) -> Response:
    return _editor(visit, "", _written(EXAMPLE), NEW_VERSION)


@pages.post("/schemas/new")
async def create(visit: Visit) -> Response:
    return await _publish(visit, "")


@pages.get("/schemas/{entity}")
async def schema(visit: Visit) -> Response:
    document, _ = await _read(visit)
    return visit.show("staff/schema.html", schema=document, groups=groups_of(document))


@pages.get("/schemas/{entity}/edit")
async def edit(visit: Visit) -> Response:
    document, etag = await _read(visit)
    return _editor(visit, document["entity"], _written(document), etag)


@pages.post("/schemas/{entity}/edit")
async def change(visit: Visit) -> Response:
    return await _publish(visit, visit.path["entity"])


def groups_of(schema: Document) -> list[tuple[dict[str, str] | None, list[tuple[str, Document]]]]:
    """The attributes group by group, (label, [(name, attribute)]); what is in no group comes last, without a label."""
    attributes: dict[str, Document] = schema["attributes"]
    found: list[tuple[dict[str, str] | None, list[tuple[str, Document]]]] = []
    grouped: set[str] = set()
    for group in schema.get("groups", {}).values():
        names = [name for name in group["attributes"] if name in attributes]
        grouped |= {*names}
        found.append((group["label"], [(name, attributes[name]) for name in names]))
    others = [(name, attribute) for name, attribute in attributes.items() if name not in grouped]
    return [*found, (None, others)] if others else found


def line_of(text: str, path: str) -> int:
    """The line of a written document where a path stands, or the nearest thing above it."""
    at = 0
    for part in path.split("."):
        there = text.find(f'"{part}"', at)
        at = there if there >= 0 else at
    return text.count("\n", 0, at) + 1


async def _publish(visit: Visit, entity: str) -> Response:
    typed, seen = visit.form["document"].replace("\r\n", "\n"), visit.form["seen"]
    try:
        document = json.loads(typed)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        return _editor(visit, entity, typed, seen, no_json=line)
    named = document.get("entity") if isinstance(document, dict) else None
    wanted = entity or (named if isinstance(named, str) and named else "unnamed")
    try:
        await visit.put("entities", f"/schemas/{quote(wanted, safe='')}", document, If_Match=seen)
    except Refused as refused:
        if refused.status != CHANGED_MEANWHILE:
            return _editor(visit, entity, typed, seen, refused=refused)
        current = await visit.send("GET", "entities", f"/schemas/{quote(wanted, safe='')}")
        return _editor(visit, entity, typed, current.headers.get("ETag", seen), changed=True)
    return visit.go(f"/schemas/{quote(wanted, safe='')}", said="schemas.saved")


async def _read(visit: Visit) -> tuple[Document, str]:
    answer = await visit.send("GET", "entities", f"/schemas/{quote(visit.path['entity'], safe='')}")
    return answer.json(), answer.headers.get("ETag", "")


def _editor(
    visit: Visit,
    entity: str,
    typed: str,
    etag: str,
    *,
    refused: Refused | None = None,
    changed: bool = False,
    no_json: int = 0,
) -> Response:
    """`no_json` is the line where what was typed is no JSON."""
    mistakes = refused.mistakes if refused else {}
    return visit.show(
        "staff/schema_edit.html",
        status=refused.status if refused else CHANGED_MEANWHILE if changed else 422 if no_json else 200,
        entity=entity,
        label=_label(typed),
        typed=typed,
        seen=etag,
        changed=changed,
        no_json=no_json,
        refused=refused,
        mistakes=[(path, sentence, line_of(typed, path)) for path, sentence in mistakes.items()],
    )


def _label(typed: str) -> dict[str, str]:
    """What the entity of a written document is called, as far as it can be read."""
    try:
        label = json.loads(typed)["label"]
    except (ValueError, TypeError, KeyError):
        return {}
    return {language: str(said) for language, said in label.items()} if isinstance(label, dict) else {}


def _written(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
