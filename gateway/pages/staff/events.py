"""`/events/{entity}/{id}`: all that happened to a record, who did it, and what was before and after."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.desk import found, names_of, pages_around
from gateway.pages.staff.records import PLACES, records_by_id, shape_of, with_values
from gateway.routing import Pages
from gateway.visit import Visit

PAGE = 50

pages = Pages("staff")


@pages.get("/events/{entity}/{record_id}")
async def events(visit: Visit) -> Response:
    entity, id_ = quote(visit.path["entity"], safe=""), quote(visit.path["record_id"], safe="")
    document, history, record = await asyncio.gather(
        visit.get("entities", f"/schemas/{entity}"),
        visit.get("entities", f"/records/{entity}/{id_}/history", before=visit.query.get("before", ""), limit=PAGE),
        found(visit, "entities", f"/records/{entity}/{id_}"),
    )
    shape = shape_of(document, visit.language)
    contacts: set[str] = set()
    for entry in history["items"]:
        for each in entry["changes"]:
            relation = shape["relations"].get(each["name"])
            if relation and relation["to"] == "contact":
                contacts |= {*(each["before"] or ()), *(each["after"] or ())}
    contact = await visit.get("entities", "/schemas/contact") if contacts else None
    return visit.show(
        "staff/events.html",
        shape=shape,
        place=PLACES.get(entity),
        record=with_values(record, shape) if record else None,
        record_id=visit.path["record_id"],
        entries=history["items"],
        others=await records_by_id(visit, shape_of(contact, visit.language), contacts) if contact else {},
        names=await names_of(visit, [entry["actor"] for entry in history["items"]]),
        around=pages_around(visit, str(history["next"]) if history["next"] else None, "before"),
    )
