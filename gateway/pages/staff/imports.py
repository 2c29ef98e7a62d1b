"""`/imports`: records from a file, with a report of each row, the refused ones first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.desk import csv_file, here_with
from gateway.pages.staff.records import PLACES, shape_of
from gateway.routing import Pages
from gateway.visit import Refused, Visit

PAGE = 200
LATEST = 5
IMPORT_SECONDS = 600
ORDER = ("refused", "created", "updated", "unchanged")
EXAMPLES = {
    "date": "31.12.2026",
    "number": "12",
    "period": "P1M",
    "email": "name@example.org",
    "phone": "+49 30 23125 001",
}

pages = Pages("staff")


@pages.get("/imports")
async def imports(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    schemas, latest = await asyncio.gather(
        visit.get("entities", "/schemas"), visit.get("entities", "/imports", limit=LATEST)
    )
    shapes = [shape_of(each, visit.language) for each in schemas["items"]]
    return visit.show(
        "staff/imports.html",
        refused.status if refused else 200,
        shapes=shapes,
        shape_options=[(shape["entity"], shape["label"].get(visit.language)) for shape in shapes],
        entity=visit.form["entity"] or visit.query.get("entity", ""),
        latest=latest["items"],
        labels={shape["entity"]: shape["label"] for shape in shapes},
        refused=refused,
    )


@pages.post("/imports")
async def take(visit: Visit) -> Response:
    """Sends the file on as it is; its report is a page of its own."""
    entity, uploads = visit.form["entity"], visit.form.files("file")
    if not entity or not uploads:
        wrong = ("entity", "imports.no_entity") if not entity else ("file", "imports.no_file")
        mistakes = [{"path": wrong[0], "detail": visit.say(wrong[1])}]
        return await _show(visit, Refused(422, {"code": "incomplete", "mistakes": mistakes}))
    path = f"/imports/{quote(entity, safe='')}"
    headers = {"Content-Type": "text/csv"}
    if key := visit.key_for("POST", "entities", path):
        headers["Idempotency-Key"] = key
    content = await uploads[0].read()
    try:
        answer = await visit.send("POST", "entities", path, headers, content=content, timeout=IMPORT_SECONDS)
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/imports/{answer.json()['id']}")


@pages.get("/imports/templates/{entity}")
async def template(visit: Visit) -> Response:
    """A file with the columns of an entity, and a row that shows what they may hold."""
    shape = shape_of(await visit.get("entities", f"/schemas/{quote(visit.path['entity'], safe='')}"), visit.language)
    columns = [*shape["attributes"].values(), *shape["relations"].values()]
    heads = [each["label"].get(visit.language) or each["name"] for each in columns]
    return csv_file(f"{shape['entity']}.csv", [heads, [_example(visit, each) for each in columns]])


def _example(visit: Visit, column: Mapping[str, Any]) -> str:
    if choices := column.get("choices"):
        return str(choices[0][1])
    if column.get("type") == "boolean":
        return visit.say("records.yes")
    return EXAMPLES.get(str(column.get("type")), "")


@pages.get("/imports/{import_id}")
async def report(visit: Visit) -> Response:
    found = await visit.get("entities", f"/imports/{quote(visit.path['import_id'], safe='')}")
    shape = shape_of(await visit.get("entities", f"/schemas/{found['entity']}"), visit.language)
    only = visit.query.get("only", "")
    rows = [row for row in found["rows"] if not only or row["outcome"] == only]
    rows.sort(key=lambda row: (ORDER.index(row["outcome"]), row["row"]))
    begin = int(visit.query.get("from", "0")) if visit.query.get("from", "0").isdecimal() else 0
    behind = begin + PAGE
    return visit.show(
        "staff/import_report.html",
        report=found,
        shape=shape,
        rows=rows[begin:behind],
        place=PLACES.get(found["entity"]),
        only=only,
        tabs=_tabs(visit, found),
        next=here_with(visit, **{"from": str(behind)}) if len(rows) > behind else None,
        first=here_with(visit, **{"from": None}) if begin else None,
    )


def _tabs(visit: Visit, found: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """All rows, and those of each outcome that there are, with their numbers."""
    every = [("", visit.say("imports.every"), here_with(visit, only=None, **{"from": None}), len(found["rows"]))]
    return every + [
        (each, visit.say(f"imports.outcome.{each}"), here_with(visit, only=each, **{"from": None}), found[each])
        for each in ORDER
        if found[each]
    ]


@pages.get("/imports/{import_id}/refused")
async def refused_rows(visit: Visit) -> Response:
    """The refused rows as a file, to mend them beside it."""
    found = await visit.get("entities", f"/imports/{quote(visit.path['import_id'], safe='')}")
    refused = [row for row in found["rows"] if row["outcome"] == "refused"]
    rows = [(row["row"], row["external_id"], row["reason"]["attribute"], _why(row, visit)) for row in refused]
    return csv_file(f"refused-{found['entity']}.csv", [("row", "external_id", "column", "reason"), *rows])


def _why(row: Mapping[str, Any], visit: Visit) -> str:
    return str(row["reason"]["text"][visit.language])
