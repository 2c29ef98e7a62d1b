"""`/events/{entity}/{id}`: all that happened to a record or a portal user, who did it, what was before and after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff import happenings
from gateway.pages.staff.desk import found
from gateway.pages.staff.records import PLACES, Record, Shape, find_shape, records_by_id, shape_of, with_values
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")


@pages.get("/events/user/{user_id}")
async def user_events(visit: Visit) -> Response:
    user_id = visit.path["user_id"]
    told, user = await asyncio.gather(
        happenings.of_user(visit, user_id), visit.get("identity", f"/users/{quote(user_id, safe='')}")
    )
    return visit.show("staff/user_events.html", told=told, user=user)


@pages.get("/events/{entity}/{record_id}")
async def events(visit: Visit) -> Response:
    entity, id_ = visit.path["entity"], visit.path["record_id"]
    name = quote(entity, safe="")
    document, told, record = await asyncio.gather(
        visit.get("entities", f"/schemas/{name}"),
        happenings.of_record(visit, entity, id_),
        found(visit, "entities", f"/records/{name}/{quote(id_, safe='')}"),
    )
    shape = shape_of(document, visit.language)
    return visit.show(
        "staff/events.html",
        shape=shape,
        place=PLACES.get(entity),
        record=with_values(record, shape) if record else None,
        told=told,
        others=await _others(visit, shape, told.entries),
    )


async def _others(visit: Visit, shape: Shape, entries: Iterable[Mapping[str, Any]]) -> dict[str, Record]:
    """The records to which the record leads or led, by their ids."""
    wanted: dict[str, set[str]] = {}
    for change in (each for entry in entries for each in entry.get("changes", ())):
        if relation := shape["relations"].get(change["name"]):
            wanted.setdefault(relation["to"], set()).update(change["before"] or (), change["after"] or ())
    shapes = await asyncio.gather(*(find_shape(visit, entity) for entity in wanted))
    there = await asyncio.gather(
        *(records_by_id(visit, each, ids) for each, ids in zip(shapes, wanted.values(), strict=True))
    )
    return {id_: record for each in there for id_, record in each.items()}
