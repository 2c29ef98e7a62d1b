"""`/actions/{action}`: begins the journey of an action at a record, which the portal allows with a ticket."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal")


@pages.post("/actions/{action}")
async def action(visit: Visit) -> Response:
    record = {"entity": visit.form["entity"], "id": visit.form["id"]}
    return await begin(visit, {"action": visit.path["action"], "record": record})


async def begin(visit: Visit, wanted: dict[str, Any]) -> Response:
    """To the first step of what was wanted: an action with its record, or a task. Raises Refused."""
    issued = await visit.post("portal", "/tickets", wanted)
    begun = await visit.post("journeys", "/submissions", {"ticket": issued["ticket"], "language": visit.language})
    return visit.go(f"/journeys/{begun['submission_id']}")
