"""Tasks over HTTP: what waits for whom, the way of a process as its audience sees it, and "I am done"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from contracts.processes import Audience
from services.processes.instances import views
from services.processes.instances.answers import Reported, TaskDetail, TaskPage, read_cursor, task_of, write_cursor
from services.processes.instances.board import Board
from services.processes.instances.decider import ReportDone
from services.processes.instances.views import InstanceDoc, is_task_of, list_tasks, path_for

InstanceId = Annotated[str, Path(max_length=40)]
StepId = Annotated[str, Path(max_length=40)]
PORTAL_ROLES: tuple[Audience, ...] = ("customer", "installer")
User = Annotated[Principal, Depends(allow("customer", "installer"))]
Anybody = Annotated[Principal, Depends(allow("customer", "installer", "staff", "operator"))]
Fresh = Callable[..., Awaitable[None]]


def router(board: Board, shown: Fresh, records_known: Fresh) -> APIRouter:
    """`shown` waits until tasks show the position that the caller names, `records_known` until records have it."""
    api = APIRouter(tags=["tasks"])

    @api.get("/tasks", dependencies=[Depends(shown)])
    async def tasks(
        principal: Anybody,
        *,
        group: Annotated[str | None, Query(max_length=40, description="For staff: of a group")] = None,
        staff: Annotated[str | None, Query(max_length=100, description="For staff: of one of them")] = None,
        contact: Annotated[str | None, Query(max_length=200, description="For staff: of a contact")] = None,
        overdue: Annotated[bool, Query(description="Only what should have been done before today")] = False,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=40, description="`next` of the page before")] = None,
    ) -> TaskPage:
        """What waits for somebody: a portal user sees his own, staff see all."""
        today = board.today()
        filters = {"group": group, "staff_id": staff, "assigned_contact": contact}
        if audience_of(principal):
            filters = {"assigned_contact": principal.contact_id or ""}
        offset = _offset(cursor)
        late = {"due_before": today.isoformat() if overdue else None}
        found = await list_tasks(board.instances, {**filters, **late}, limit + 1, offset)
        items = [task_of(doc, doc.active, principal.role, today) for doc in found[:limit] if doc.active]
        return TaskPage(items=items, next=write_cursor(str(offset + limit)) if len(found) > limit else None)

    @api.get("/tasks/{instance_id}/{step_id}", dependencies=[Depends(shown)])
    async def task(instance_id: InstanceId, step_id: StepId, principal: User) -> TaskDetail:
        """One task of one's own, with the way of its process."""
        doc = await board.instances.get(instance_id)
        step = doc.find(step_id) if doc else None
        if doc is None or step is None or not is_task_of(doc, step, principal.contact_id):
            raise NotFound("task_not_found")
        path = _path(doc, principal, None)
        shown_task = task_of(doc, step, principal.role, board.today())
        return TaskDetail(**shown_task.model_dump(), steps=path.steps)

    @api.post("/tasks/{instance_id}/{step_id}/done", dependencies=[Depends(records_known)])
    async def done(
        instance_id: InstanceId, step_id: StepId, request: CommandRequest, response: Response, principal: User
    ) -> Reported:
        """Says that one is done with a task of one's own."""
        command = ReportDone(step_id, principal.contact_id, await board.situation_of_task(instance_id))
        answer(response, await board.execute(instance_id, command, request))
        return Reported(instance_id=instance_id, step_id=step_id)

    @api.get("/progress/{instance_id}", dependencies=[Depends(shown)])
    async def progress(
        instance_id: InstanceId,
        principal: Anybody,
        audience: Annotated[Literal["customer", "installer"] | None, Query(description="For staff: as whom")] = None,
    ) -> views.Path:
        """The way of a process as an audience sees it: titles, info texts and status of the steps it is shown."""
        doc = await board.instances.get(instance_id)
        if doc is None or (audience_of(principal) and not doc.concerns(principal.contact_id)):
            raise NotFound("instance_not_found")
        return _path(doc, principal, audience)

    return api


def audience_of(principal: Principal) -> Audience | None:
    """As whom a portal user sees processes; None for staff."""
    return next((role for role in PORTAL_ROLES if role == principal.role), None)


def _path(doc: InstanceDoc, principal: Principal, audience: Audience | None) -> views.Path:
    return path_for(doc, audience_of(principal) or audience or "customer", principal.contact_id)


def _offset(cursor: str | None) -> int:
    (text,) = read_cursor(cursor, 1) or ["0"]
    if not text.isdecimal() or len(text) > 7:
        raise Rejected("invalid_cursor")
    return int(text)
