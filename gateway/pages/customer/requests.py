"""`/requests`: what the visitor has sent, and what became of each part of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

PAGE_SIZE = 20
MOST_PROCESSES = 200
UNDER_WAY, DONE = "under_way", "done"

pages = Pages("portal")


@pages.get("/requests")
async def requests(visit: Visit) -> Response:
    asked = visit.get("portal", "/requests", limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    found, running = await asyncio.gather(asked, _running(visit))
    return visit.show("customer/requests.html", page=found, states=[_state(each, running) for each in found["items"]])


@pages.get("/requests/{submission_id}")
async def request(visit: Visit) -> Response:
    id_ = visit.path["submission_id"]
    request = visit.get("portal", f"/requests/{id_}")
    found = await visit.together(request=request, sent=sent(visit, id_), running=_running(visit))
    if isinstance(found.request, Away):
        raise found.request
    state = _state(found.request, found.running or ())
    return visit.show("customer/request.html", request=found.request, state=state, sent=found.sent)


async def sent(visit: Visit, submission_id: str) -> dict[str, Any] | None:
    """What was submitted as people read it, and the names of its files; None where it cannot be read any more."""
    try:
        found: dict[str, Any] = await visit.get("journeys", f"/submissions/{submission_id}/content")
    except Refused:
        return None
    return found


def _state(request: Mapping[str, Any], running: Collection[str]) -> str:
    """A request is not done while a process runs that it has started."""
    started = {effect["instance_id"] for effect in request["effects"]}
    return UNDER_WAY if request["status"] == DONE and not started.isdisjoint(running) else str(request["status"])


async def _running(visit: Visit) -> set[str]:
    """The visitor's processes that run."""
    found = await visit.get("portal", "/processes", status="open", limit=MOST_PROCESSES)
    return {process["instance_id"] for process in found["items"]}
