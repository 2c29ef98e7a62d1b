"""`/tasks`: what the visitor is to do, with its journey or by a word of his that it is done."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.customer.actions import begin
from gateway.routing import Pages
from gateway.visit import Refused, Visit

PAGE_SIZE = 20
STATUSES = ("open", "over")

pages = Pages("portal")


@pages.get("/tasks")
async def tasks(visit: Visit) -> Response:
    tab = visit.query.get("show", "open")
    tab = tab if tab in STATUSES else "open"
    found = await visit.get("portal", "/tasks", status=tab, limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    return visit.show("customer/tasks.html", page=found, tab=tab)


@pages.get("/tasks/{instance_id}/{step_id}")
async def task(visit: Visit) -> Response:
    return await _task(visit)


@pages.post("/tasks/{instance_id}/{step_id}/begin")
async def begin_task(visit: Visit) -> Response:
    """Opens the journey with which the task is done."""
    wanted = {"instance_id": visit.path["instance_id"], "step_id": visit.path["step_id"]}
    try:
        return await begin(visit, {"task": wanted})
    except Refused as refused:
        return await _task(visit, refused)


@pages.post("/tasks/{instance_id}/{step_id}/done")
async def done(visit: Visit) -> Response:
    """Takes his word for it."""
    path = f"/tasks/{visit.path['instance_id']}/{visit.path['step_id']}"
    try:
        await visit.post("processes", f"{path}/done")
    except Refused as refused:
        return await _task(visit, refused)
    return visit.go(path, said="task.said_done")


async def _task(visit: Visit, refused: Refused | None = None) -> Response:
    if refused is not None and refused.status == 404:
        raise refused
    found = await visit.get("portal", f"/tasks/{visit.path['instance_id']}/{visit.path['step_id']}")
    return visit.show("customer/task.html", refused.status if refused else 200, page=found, refused=refused)
