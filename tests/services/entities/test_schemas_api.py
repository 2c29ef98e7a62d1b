"""Schemas as documents through HTTP: what is put in force counts at once, and what would break records is refused."""

from copy import deepcopy
from typing import Any

import httpx

from chassis.auth import Principal
from chassis.testing import RunningService, eventually
from tests.services.entities.conftest import headers_of

STAFF = headers_of(Principal("staff", "staff/7"))
GERMAN = {"Accept-Language": "de"}
METER: dict[str, Any] = {
    "entity": "meter",
    "title": {"attribute": "serial"},
    "attributes": {
        "serial": {"type": "text", "unique": True},
        "kind": {"type": "choice", "options": ["single", "double"]},
        "place": {"type": "text", "personal": True},
    },
    "relations": {"holder": {"to": "contact"}},
}


async def put(
    entities: RunningService, document: dict[str, Any], path: str = "meter", **headers: str
) -> httpx.Response:
    return await entities.client.put(f"/schemas/{path}", json=document, headers={**STAFF, **headers})


async def test_a_schema_that_comes_with_portico_is_a_document_too(entities: RunningService) -> None:
    async def published_at_start() -> bool:
        return len(await entities.service.streams.history("schema/contract")) == 1

    await eventually(published_at_start)
    answer = await entities.client.get("/schemas/contract", headers=STAFF)
    assert answer.headers["ETag"] == '"1"'
    document = answer.json()
    assert document["groups"]["cancellation"]["attributes"] == ["cancel_reason", "ends_on"]
    published = await put(entities, document, "contract", **{"If-Match": '"1"'})
    assert (published.status_code, published.headers["ETag"]) == (200, '"2"')
    again = await put(entities, document, "contract")
    assert (again.status_code, again.json()) == (200, {"entity": "contract", "schema_version": 2})
    assert len(await entities.service.streams.history("schema/contract")) == 2
    assert (await entities.client.get("/schemas/contract", headers=STAFF)).json() == document
    assert (await put(entities, document, "contract", **{"If-Match": '"1"'})).status_code == 412


async def test_a_published_schema_counts_at_once(entities: RunningService) -> None:
    client = entities.client
    missing = await client.put("/records/meter/M-1", json={}, headers=STAFF)
    assert (missing.status_code, missing.json()["code"]) == (404, "entity_unknown")
    published = await put(entities, METER)
    assert (published.status_code, published.json()["schema_version"]) == (200, 1)
    assert (await client.put("/records/meter/M-1", json={"kind": "single"}, headers=STAFF)).status_code == 201
    nobodys = await client.put("/records/meter/M-2", json={"place": "Keller"}, headers=STAFF)
    assert (nobodys.json()["code"], nobodys.json()["attribute"]) == ("invalid_missing", "holder")
    unknown = await client.put("/records/meter/M-1", json={"notes": "x"}, headers=STAFF)
    assert unknown.json()["code"] == "invalid_attribute"
    grown = deepcopy(METER)
    grown["attributes"]["notes"] = {"type": "text"}
    await put(entities, grown)
    changed = await client.put("/records/meter/M-1", json={"notes": "x"}, headers=STAFF)
    assert changed.json()["effect"] == "updated"
    rows = "serial;notes\nM-1;y\nM-3;z\n"
    report = await client.post("/imports/meter", content=rows, headers={**STAFF, "Content-Type": "text/csv"})
    assert [row["outcome"] for row in report.json()["rows"]] == ["updated", "created"]
    headers = {**STAFF, "Portico-Position": published.headers["Portico-Position"]}
    listed = (await client.get("/schemas", headers=headers)).json()["items"]
    assert [document["entity"] for document in listed] == ["company", "contact", "contract", "meter"]


async def test_what_would_break_records_is_refused(entities: RunningService) -> None:
    document = deepcopy(METER) | {"entity": "pump"}
    assert (await put(entities, document, "pump")).status_code == 200
    broken = deepcopy(document)
    broken["attributes"]["kind"] = {"type": "text", "personal": True}
    broken["attributes"]["serial"] = {"type": "text"}
    broken["attributes"]["number"] = {"type": "text", "unique": True}
    del broken["attributes"]["place"]
    assert (await put(entities, broken, "pump")).status_code == 200
    assert (await put(entities, document, "pump")).status_code == 200
    created = await entities.client.put("/records/pump/P-1", json={"kind": "single"}, headers=STAFF)
    position = {"Portico-Position": created.headers["Portico-Position"]}
    await entities.client.get("/records/pump/P-1", headers={**STAFF, **position})
    refused = await put(entities, broken, "pump", **GERMAN)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    told = {mistake["path"]: mistake["detail"] for mistake in refused.json()["mistakes"]}
    assert set(told) == {"attributes.serial", "attributes.kind.type", "attributes.kind.personal"}
    assert told["attributes.kind.type"] == "die Art bleibt, es gibt Datensätze mit diesem Merkmal"
    assert (await entities.client.get("/schemas/pump", headers=STAFF)).json() == document


async def test_mistakes_are_told_with_their_place_in_the_callers_language(entities: RunningService) -> None:
    wrong = deepcopy(METER) | {"title": {"attribute": "name"}}
    wrong["attributes"]["kind"]["options"] = []
    wrong["relations"]["room"] = {"to": "room"}
    answer = await put(entities, wrong, "counter", **GERMAN)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_document")
    told = {mistake["path"]: mistake["detail"] for mistake in answer.json()["mistakes"]}
    assert set(told) == {"entity", "relations.room.to", "attributes.kind.options", "title.attribute"}
    assert told["title.attribute"] == "name ist kein Merkmal; möglich sind serial, kind, place"
    misspelt = await put(entities, {**METER, "atributes": {}}, **GERMAN)
    assert misspelt.json()["mistakes"][0]["path"] == "atributes"
    taken = deepcopy(METER) | {"entity": "schema"}
    assert (await put(entities, taken, "schema")).json()["mistakes"][0]["path"] == "entity"
    assert (await put(entities, METER, "Meter")).status_code == 422
