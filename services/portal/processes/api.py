"""Processes and tasks over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from chassis.database import Pool
from chassis.errors import NotFound
from chassis.http import conditional
from services.portal.configuration.views import Portals
from services.portal.pages.views import CONTRACTS
from services.portal.processes.answers import (
    Process,
    ProcessPage,
    TaskDetails,
    TaskPage,
    process_answer,
    task_answer,
)
from services.portal.processes.queries import Whether, find_process, find_task, processes_page, tasks_page
from services.portal.processes.views import PROCESSES
from services.portal.reading import UNCHANGED, Wanted
from services.portal.visitor import Asked, visiting

InstanceId = Annotated[str, Path(max_length=100, description="The process as it runs, as in the list")]
StepId = Annotated[str, Path(max_length=100)]
RecordId = Annotated[str | None, Query(max_length=100, description="Only those of this record, e.g. a contract's id")]
Status = Annotated[Whether | None, Query(description="Only those that are open, or those that are over")]


def router(pool: Pool, portals: Portals, today: Callable[[], date], fresh: Callable[..., Any]) -> APIRouter:
    """The routes; every read honours If-None-Match and Portico-Position."""
    api = APIRouter(tags=["processes"], responses=UNCHANGED, dependencies=[Depends(fresh(PROCESSES, CONTRACTS))])

    @api.get("/processes", response_model=ProcessPage, summary="Processes of the contact's records")
    async def list_processes(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        record_id: RecordId = None,
        status: Status = None,
    ) -> Response:
        visitor = await visiting(portals, asked)
        if visitor.visit.waits:
            return conditional(request, ProcessPage(items=[], next=None))
        page = await processes_page(pool, visitor, record_id, status, wanted)
        items = [process_answer(found, visitor) for found in page.items]
        return conditional(request, ProcessPage(items=items, next=page.next))

    @api.get("/processes/{instance_id}", response_model=Process, summary="A process with the steps that one is shown")
    async def get_process(
        request: Request,
        asked: Asked,
        instance_id: InstanceId,
    ) -> Response:
        visitor = await visiting(portals, asked)
        if not visitor.visit.is_staff:
            visitor.visit.assigned()
        found = await find_process(pool, visitor, instance_id)
        if found is None:
            raise NotFound("process_not_found")
        return conditional(request, process_answer(found, visitor))

    @api.get("/tasks", response_model=TaskPage, summary="The contact's tasks, open ones first")
    async def list_tasks(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        status: Status = None,
    ) -> Response:
        """A page has the tasks of at most `limit` processes."""
        visitor = await visiting(portals, asked)
        if visitor.visit.waits:
            return conditional(request, TaskPage(items=[], next=None))
        page = await tasks_page(pool, visitor.visit.assigned(), visitor.audience, status, wanted)
        items = [task_answer(task, visitor.audience, today()) for task in page.items]
        return conditional(request, TaskPage(items=items, next=page.next))

    @api.get("/tasks/{instance_id}/{step_id}", response_model=TaskDetails, summary="A task, and the process around it")
    async def get_task(
        request: Request,
        asked: Asked,
        instance_id: InstanceId,
        step_id: StepId,
    ) -> Response:
        visitor = await visiting(portals, asked)
        task = await find_task(pool, visitor.visit.assigned(), instance_id, step_id)
        if task is None:
            raise NotFound("task_not_found")
        details = TaskDetails(
            task=task_answer(task, visitor.audience, today()), process=process_answer(task.found, visitor)
        )
        return conditional(request, details)

    return api
