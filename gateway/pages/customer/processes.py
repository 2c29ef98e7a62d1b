"""`/processes`: what is under way for the visitor, step by step."""

from __future__ import annotations

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

PAGE_SIZE = 20
STATUSES = ("open", "over")

pages = Pages("portal")


@pages.get("/processes")
async def processes(visit: Visit) -> Response:
    tab = visit.query.get("show", "open")
    tab = tab if tab in STATUSES else "open"
    found = await visit.get("portal", "/processes", status=tab, limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    return visit.show("customer/processes.html", page=found, tab=tab)


@pages.get("/processes/{instance_id}")
async def process(visit: Visit) -> Response:
    found = await visit.get("portal", f"/processes/{visit.path['instance_id']}")
    return visit.show("customer/process.html", process=found)
