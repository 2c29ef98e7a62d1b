"""`/`: what needs the visitor now comes first, then his contracts."""

from __future__ import annotations

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

MOST_CONTRACTS = 20
MOST_OF_EACH = 5
MOST_NOTICES = 3
MOST_DRAFTS = 3

pages = Pages("portal")


@pages.get("/")
async def start(visit: Visit) -> Response:
    found = await visit.together(
        me=visit.get("portal", "/me"),
        tasks=visit.get("portal", "/tasks", status="open", limit=MOST_OF_EACH),
        processes=visit.get("portal", "/processes", status="open", limit=MOST_OF_EACH),
        notices=visit.get("portal", "/notices", unread="true", limit=MOST_NOTICES),
        contracts=visit.get("portal", "/contracts", limit=MOST_CONTRACTS),
        drafts=visit.get("journeys", "/drafts"),
    )
    drafts = found.drafts["items"][:MOST_DRAFTS] if found.drafts else []
    return visit.show("customer/start.html", page=found, drafts=drafts)
