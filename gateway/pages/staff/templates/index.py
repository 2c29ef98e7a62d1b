"""`/templates`: all mails of a portal, which of them it words itself, and in which languages."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.portals.document import read_all
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")
TEMPLATE_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


@pages.get("/templates")
async def templates(visit: Visit) -> Response:
    return await _list(visit)


@pages.post("/templates")
async def new(visit: Visit) -> Response:
    """Leads to the editor of a mail of one's own, which is there once it is saved."""
    portal_id, template = visit.form["portal"], visit.form["template"]
    if not TEMPLATE_ID.fullmatch(template):
        return await _list(visit, portal_id, wrong="templates.id_wrong")
    return visit.go(f"/templates/{quote(portal_id, safe='')}/{template}")


async def _list(visit: Visit, portal_id: str = "", wrong: str = "") -> Response:
    """`wrong` is the key of what is wrong with the id of a new mail."""
    portals = await read_all(visit, "portal", "/portals")
    ids = [portal["portal"] for portal in portals]
    chosen = portal_id or visit.query.get("portal") or next(iter(ids), "")
    if chosen and chosen not in ids:
        return visit.not_found()
    own = await visit.get("notifications", f"/portals/{quote(chosen, safe='')}/templates") if chosen else {"items": []}
    worded = {each["template"]: each for each in own["items"]}
    standard = [each["template"] for each in (await visit.get("notifications", "/templates"))["items"]]
    return visit.show(
        "staff/templates/index.html",
        status=422 if wrong else 200,
        portals=portals,
        chosen=chosen,
        worded=worded,
        standard=standard,
        own=[name for name in worded if name not in standard],
        wrong=wrong,
    )
