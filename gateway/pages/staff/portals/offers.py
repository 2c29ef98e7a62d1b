"""`/portals/{id}/actions` and `/portals/{id}/links`: what is offered, in which order, and under which rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.portals import rules
from gateway.pages.staff.portals.document import (
    Document,
    Opened,
    keep,
    names,
    open_portal,
    read_all,
    read_schemas,
    show,
    side_by_side,
)
from gateway.routing import Pages
from gateway.visit import Refused, Visit

pages = Pages("staff")
JOURNEY = "journey:"
NEW = "new"
STEPS: Mapping[str, int] = {"up": -1, "down": 1}


async def every(visit: Visit, kind: str) -> Response:
    """All offers of a kind in their order."""
    return await _list(visit, kind)


async def sort(visit: Visit, kind: str) -> Response:
    """Moves an offer up or down."""
    portal = await open_portal(visit)
    word, _, id_ = visit.form["do"].partition(":")
    number = _place(portal, kind, id_)
    if number is None or word not in STEPS:
        return visit.not_found()
    offers = rules.moved(portal.document[kind], number, STEPS[word])

    async def again(_: Opened, refused: Refused) -> Response:
        return await _list(visit, kind, refused)

    return await keep(visit, portal, {kind: offers}, to=f"/{kind}", again=again)


async def one(visit: Visit, kind: str) -> Response:
    """An offer to be changed, or a new one."""
    portal = await open_portal(visit)
    id_ = visit.path["offer_id"]
    number = _place(portal, kind, id_)
    if number is None and id_ != NEW:
        return visit.not_found()
    offer = _blank(kind) if number is None else portal.document[kind][number]
    return await _form(visit, kind, portal, offer)


async def change(visit: Visit, kind: str) -> Response:
    """Takes what was typed: adds and removes rules where that is asked for, else keeps the offer."""
    portal, schemas = await side_by_side(open_portal(visit), read_schemas(visit))
    shapes = {schema["entity"]: schema for schema in schemas}
    id_ = visit.path["offer_id"]
    number = _place(portal, kind, id_)
    if number is None and id_ != NEW:
        return visit.not_found()
    rows, is_edited = _edited(visit, rules.typed_rows(visit.form, shapes), shapes)
    typed = _typed(visit, kind) | ({} if number is None else {"id": id_})
    if is_edited:
        return await _form(visit, kind, portal, typed, rows=rows, etag=visit.form["seen"])
    offer = {**typed, "when": rules.conditions_of(rows)}
    offers = list(portal.document[kind])
    at = len(offers) if number is None else number
    offers[at : at + 1] = [offer]

    async def again(opened: Opened, refused: Refused) -> Response:
        return await _form(visit, kind, opened, typed, rows=rows, refused=refused, number=at)

    return await keep(visit, portal, {kind: offers}, to=f"/{kind}", again=again)


async def ask_to_remove(visit: Visit, kind: str) -> Response:
    """Asks whether an offer shall go."""
    portal = await open_portal(visit)
    number = _place(portal, kind, visit.path["offer_id"])
    if number is None:
        return visit.not_found()
    return show(visit, kind, portal, template="remove", offer=portal.document[kind][number])


async def remove(visit: Visit, kind: str) -> Response:
    """Removes an offer."""
    portal = await open_portal(visit)
    number = _place(portal, kind, visit.path["offer_id"])
    if number is None:
        return visit.not_found()
    offer = portal.document[kind][number]

    async def again(_: Opened, refused: Refused) -> Response:
        return show(visit, kind, await open_portal(visit), refused=refused, template="remove", offer=offer)

    others = [each for each in portal.document[kind] if each["id"] != offer["id"]]
    return await keep(visit, portal, {kind: others}, to=f"/{kind}", again=again, said="portals.removed")


for _kind in ("actions", "links"):
    _address = f"/portals/{{portal_id}}/{_kind}"
    pages.get(_address)(partial(every, kind=_kind))
    pages.post(_address)(partial(sort, kind=_kind))
    pages.get(f"{_address}/{{offer_id}}")(partial(one, kind=_kind))
    pages.post(f"{_address}/{{offer_id}}")(partial(change, kind=_kind))
    pages.get(f"{_address}/{{offer_id}}/remove")(partial(ask_to_remove, kind=_kind))
    pages.post(f"{_address}/{{offer_id}}/remove")(partial(remove, kind=_kind))


async def _list(visit: Visit, kind: str, refused: Refused | None = None) -> Response:
    """The offers with what they lead to; journeys that cannot be asked for now are named by their ids."""
    portal, schemas, beside = await side_by_side(
        open_portal(visit), read_schemas(visit), visit.together(journeys=read_all(visit, "journeys", "/journeys"))
    )
    shapes = {schema["entity"]: schema for schema in schemas}
    offers = [(offer, rules.rows_of(offer["when"], shapes)) for offer in portal.document[kind]]
    return show(
        visit,
        kind,
        portal,
        refused=refused,
        template="offers",
        offers=offers,
        journeys={each["journey"]: each["title"] for each in beside.journeys or ()},
        shapes=shapes,
        options_of=partial(rules.options_of, shapes=shapes),
        described_of=partial(rules.described_of, shapes=shapes),
    )


async def _form(
    visit: Visit,
    kind: str,
    portal: Opened,
    offer: Document,
    *,
    rows: list[rules.Row] | None = None,
    refused: Refused | None = None,
    number: int = 0,
    etag: str = "",
) -> Response:
    schemas, journeys = await side_by_side(read_schemas(visit), read_all(visit, "journeys", "/journeys"))
    shapes = {schema["entity"]: schema for schema in schemas}
    offered = [each for each in journeys if kind == "actions" or each.get("access") == "public"]
    place = offer.get("place")
    return show(
        visit,
        kind,
        Opened(portal.document, etag or portal.etag),
        refused=refused,
        template="offer",
        offer=offer,
        is_new=visit.path["offer_id"] == NEW,
        address=f"{portal.path}/{kind}/{quote(visit.path['offer_id'], safe='')}",
        rows=rules.rows_of(offer.get("when", ()), shapes) if rows is None else rows,
        field=f"{kind}.{number}",
        journeys=offered,
        shapes=shapes,
        places=[each for each in (place, "contact") if each in shapes],
        options_of=partial(rules.options_of, shapes=shapes),
        described_of=partial(rules.described_of, shapes=shapes),
        without_value=rules.WITHOUT_VALUE,
    )


def _edited(visit: Visit, rows: list[rules.Row], shapes: rules.Shapes) -> tuple[list[rules.Row], bool]:
    """The rows after a button of the builder, and whether it was one of these."""
    word, _, number = visit.form["do"].partition(":")
    match word:
        case "add" if visit.form["add"]:
            return [*rows, rules.new_row(visit.form["add"], shapes)], True
        case "code":
            return [*rows, rules.new_row("", shapes)], True
        case "without":
            return [row for place, row in enumerate(rows) if str(place) != number], True
        case _:
            return rows, word in {"add", "refresh"}


def _typed(visit: Visit, kind: str) -> dict[str, Any]:
    form = visit.form
    typed: dict[str, Any] = {"title": names(form, "title"), "place": form["place"] or None}
    if kind == "actions":
        return typed | {"journey": form["journey"]}
    return typed | {"to": JOURNEY + form["journey"] if form["leads"] == "journey" else form["to"]}


def _blank(kind: str) -> Document:
    named = {"title": {"de": "", "en": ""}, "when": []}
    return named | ({"place": "contract", "journey": ""} if kind == "actions" else {"place": None, "to": ""})


def _place(portal: Opened, kind: str, id_: str) -> int | None:
    ids = [offer["id"] for offer in portal.document[kind]]
    return ids.index(id_) if id_ in ids else None
