"""`/requests`: what the visitor has sent, and what became of each part of it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Refused, Visit

PAGE_SIZE = 20

pages = Pages("portal")


@pages.get("/requests")
async def requests(visit: Visit) -> Response:
    found = await visit.get("portal", "/requests", limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    return visit.show("customer/requests.html", page=found)


@pages.get("/requests/{submission_id}")
async def request(visit: Visit) -> Response:
    id_ = visit.path["submission_id"]
    found = await visit.together(request=visit.get("portal", f"/requests/{id_}"), sent=sent(visit, id_))
    return visit.show("customer/request.html", request=found.request, sent=found.sent)


async def sent(visit: Visit, submission_id: str) -> dict[str, Any] | None:
    """What was submitted as people read it, and the names of its files; None where it cannot be read any more."""
    try:
        found: dict[str, Any] = await visit.get("journeys", f"/submissions/{submission_id}/content")
    except Refused:
        return None
    return found
