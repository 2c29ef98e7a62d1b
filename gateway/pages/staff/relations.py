"""`/…/{id}/relations/{relation}`: to which records one leads: search, then choose; or take one away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.records import Kind, Record, Shape, find_shape, read, records_by_id, with_values
from gateway.routing import Pages
from gateway.visit import Refused, Visit

SHOWN = 20


@dataclass(frozen=True)
class Place:
    """A relation of a record."""

    shape: Shape
    record: Record
    relation: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        return list(self.record["relations"].get(self.relation["name"], ()))


def add_pages(pages: Pages, kind: Kind) -> None:
    """The page of each relation that records of a kind have."""

    def bound(handle: Callable[[Visit, Kind], Awaitable[Response]]) -> Callable[[Visit], Awaitable[Response]]:
        return lambda visit: handle(visit, kind)

    path = f"{kind.path}/{{record_id}}/relations/{{relation}}"
    pages.get(path)(bound(_show))
    pages.post(path)(bound(relate))


async def _show(visit: Visit, kind: Kind, refused: Refused | None = None) -> Response:
    """Where it leads now, and what a search finds."""
    place = await _place(visit, kind)
    if place is None:
        return visit.not_found()
    search = visit.query.get("search", "").strip()[:200]
    target = await find_shape(visit, place.relation["to"])
    now, results = await asyncio.gather(
        records_by_id(visit, target, place.ids), _search(visit, target, search) if search else _nothing()
    )
    return visit.show(
        "staff/relation.html",
        refused.status if refused else 200,
        kind=kind,
        shape=place.shape,
        record=place.record,
        relation=place.relation,
        target=target,
        ids=place.ids,
        now=now,
        search=search,
        results=[each for each in results if each["id"] not in place.ids],
        refused=refused,
    )


async def relate(visit: Visit, kind: Kind) -> Response:
    """Chooses a record, instead of the one before where there can be one only, or takes one away."""
    place = await _place(visit, kind)
    if place is None:
        return visit.not_found()
    chosen, others = visit.form["id"], [each for each in place.ids if each != visit.form["id"]]
    match visit.form["what"]:
        case "choose":
            to = [*others, chosen] if place.relation["many"] else [chosen]
        case "remove":
            to = others
        case _:
            return visit.not_found()
    record, name = place.record, place.relation["name"]
    path = f"/records/{kind.entity}/{record['id']}/relations/{quote(name, safe='')}"
    version = visit.form["seen"] if visit.form["seen"].isdigit() else str(record["version"])
    try:
        await visit.put("entities", path, {"to": to}, If_Match=f'"{version}"')
    except Refused as refused:
        return await _show(visit, kind, refused)
    return visit.go(f"{kind.path}/{record['id']}", said="relations.done")


async def _place(visit: Visit, kind: Kind) -> Place | None:
    """The relation of the address; None where records have no such one. Raises Refused 404."""
    shape, record = await read(visit, kind, visit.path["record_id"])
    relation = shape["relations"].get(visit.path["relation"])
    return Place(shape, record, relation) if relation else None


async def _search(visit: Visit, target: Shape | None, search: str) -> list[Record]:
    if target is None:
        return []
    page = await visit.get("entities", f"/records/{target['entity']}", search=search, limit=SHOWN)
    return [with_values(each, target) for each in page["items"]]


async def _nothing() -> list[Record]:
    return []
