"""`/portals`: all portals with their looks, and a new one, perhaps as a copy of another."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.portals.design import logo_address
from gateway.pages.staff.portals.document import Document, names, read_all, read_portal
from gateway.routing import Pages
from gateway.visit import Refused, Visit

pages = Pages("staff")
PORTAL_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
NEW_VERSION = '"0"'
ALREADY_THERE = 412


@pages.get("/portals")
async def portals(visit: Visit) -> Response:
    known = await read_all(visit, "portal", "/portals")
    shown = [{**portal, "logo_address": logo_address(portal["design"]["logo"])} for portal in known]
    return visit.show("staff/portals/index.html", portals=shown)


@pages.get("/portals/new")
async def new(visit: Visit) -> Response:
    copied = visit.query.get("copy", "")
    return await _form(visit, {"copy": copied, "audience": "customer"})


@pages.post("/portals/new")
async def create(visit: Visit) -> Response:
    form = visit.form
    portal_id = form["portal"]
    document: Document = {
        "portal": portal_id,
        "audience": form["audience"],
        "name": names(form, "name"),
        "url": form["url"],
    }
    given = {**document, "copy": form["copy"]}
    if form["copy"]:
        copied = await read_portal(visit, form["copy"])
        document = {**copied.document, **document, "embed": []}
    if not PORTAL_ID.fullmatch(portal_id):
        return await _form(visit, given, wrong="portals.id_wrong")
    try:
        await visit.put("portal", f"/portals/{quote(portal_id, safe='')}", document, If_Match=NEW_VERSION)
    except Refused as refused:
        if refused.status == ALREADY_THERE:
            return await _form(visit, given, wrong="portals.exists")
        return await _form(visit, given, refused)
    return visit.go(f"/portals/{quote(portal_id, safe='')}/general", said="portals.created")


@pages.get("/portals/{portal_id}")
async def portal(visit: Visit) -> Response:
    return visit.go(f"/portals/{quote(visit.path['portal_id'], safe='')}/general")


async def _form(visit: Visit, given: Document, refused: Refused | None = None, wrong: str = "") -> Response:
    """`wrong` is the key of what is wrong with the id."""
    return visit.show(
        "staff/portals/new.html",
        status=refused.status if refused else 422 if wrong else 200,
        portals=await read_all(visit, "portal", "/portals"),
        portal=given,
        wrong=wrong,
        refused=refused,
        mistakes=refused.mistakes if refused else {},
    )
