"""`/contracts`: all contracts of the visitor."""

from __future__ import annotations

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

PAGE_SIZE = 20

pages = Pages("portal")


@pages.get("/contracts")
async def contracts(visit: Visit) -> Response:
    found = await visit.get("portal", "/contracts", limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    return visit.show("customer/contracts.html", page=found)
