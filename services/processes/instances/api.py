"""Running processes over HTTP: the board of staff, and what they do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import NAMESPACE_URL, uuid4, uuid5

from fastapi import APIRouter, Depends, Path, Query, Response

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Request
from contracts.processes import ProcessStarted
from services.processes.instances.answers import (
    AssigneeBody,
    InstancePage,
    MaybeReasonBody,
    ReasonBody,
    Standing,
    StartBody,
    Started,
    read_cursor,
    write_cursor,
)
from services.processes.instances.board import Board
from services.processes.instances.decider import Assign, Cancel, Command, Complete, Reopen, Skip, Start
from services.processes.instances.state import Status
from services.processes.instances.views import InstanceDoc, list_instances

InstanceId = Annotated[str, Path(max_length=40)]
StepId = Annotated[str, Path(max_length=40)]
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]
Fresh = Callable[..., Awaitable[None]]


def router(board: Board, shown: Fresh, records_known: Fresh) -> APIRouter:
    """`shown` waits until the board shows a position, `records_known` until records have it."""
    api = APIRouter(tags=["processes"])
    _add_reading(api, board, shown)
    _add_starting(api, board, records_known)
    _add_steps(api, board, records_known)
    return api


def _add_reading(api: APIRouter, board: Board, shown: Fresh) -> None:
    @api.get("/instances", dependencies=[Depends(shown)])
    async def instances(
        _: Staff,
        *,
        entity: Annotated[str | None, Query(max_length=40)] = None,
        record: Annotated[str | None, Query(max_length=200, description="The record's id")] = None,
        contact: Annotated[str | None, Query(max_length=200, description="Whose records they are attached to")] = None,
        process: Annotated[str | None, Query(max_length=63)] = None,
        status: Annotated[Status | None, Query()] = None,
        group: Annotated[str | None, Query(max_length=40, description="To which the active step is assigned")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
    ) -> InstancePage:
        """Processes, the newest first."""
        filters = {
            "entity": entity,
            "record_id": record,
            "contact_id": contact,
            "process_id": process,
            "status": status,
            "group": group,
        }
        behind = read_cursor(cursor, 2)
        found = await list_instances(board.instances, filters, (behind[0], behind[1]) if behind else None, limit + 1)
        page = found[:limit]
        last = page[-1].model_dump(mode="json", include={"started_at"})["started_at"] if page else ""
        more = len(found) > limit
        return InstancePage(items=page, next=write_cursor(last, page[-1].id) if more else None)

    @api.get("/instances/{instance_id}", dependencies=[Depends(shown)])
    async def instance(instance_id: InstanceId, _: Staff) -> InstanceDoc:
        """One process with its steps as they were planned and as they stand."""
        return await board.view(instance_id)


def _add_starting(api: APIRouter, board: Board, records_known: Fresh) -> None:
    @api.post("/instances", status_code=201, dependencies=[Depends(records_known)])
    async def start(body: StartBody, request: CommandRequest, response: Response, _: Staff) -> Started:
        """Starts a process on a record."""
        record = body.record.ref()
        if not await board.situations.exists(record):
            raise NotFound("record_not_found")
        blueprint = await board.blueprints(body.process)
        if blueprint is None:
            raise NotFound("process_not_found")
        if blueprint.on != record.entity:
            raise Rejected("process_for_other_entity")
        instance_id = str(uuid5(NAMESPACE_URL, request.key.key) if request.key else uuid4())
        command = Start(
            instance_id=instance_id,
            process_id=body.process,
            blueprint=blueprint,
            record=record,
            situation=await board.situations.of(record, None, None),
            portal_id=body.portal_id,
        )
        outcome = await board.execute(instance_id, command, request)
        answer(response, outcome)
        started = next((event for event in outcome.events if isinstance(event, ProcessStarted)), None)
        return Started(instance_id=started.instance_id if started else instance_id)

    @api.post("/instances/{instance_id}/cancel")
    async def cancel(
        instance_id: InstanceId, body: ReasonBody, request: CommandRequest, response: Response, _: Staff
    ) -> Standing:
        """Ends a process before its last step."""
        return await _do(board, instance_id, Cancel(body.reason), request, response)


def _add_steps(api: APIRouter, board: Board, records_known: Fresh) -> None:
    @api.post("/instances/{instance_id}/steps/{step_id}/complete", dependencies=[Depends(records_known)])
    async def complete(
        instance_id: InstanceId, step_id: StepId, request: CommandRequest, response: Response, _: Staff
    ) -> Standing:
        """The active step is done, whoever was to do it."""
        return await _do(board, instance_id, Complete(step_id, await board.situation(instance_id)), request, response)

    @api.post("/instances/{instance_id}/steps/{step_id}/skip", dependencies=[Depends(records_known)])
    async def skip(
        instance_id: InstanceId,
        step_id: StepId,
        body: ReasonBody,
        request: CommandRequest,
        response: Response,
        _: Staff,
    ) -> Standing:
        """Leaves out the active step."""
        command = Skip(step_id, body.reason, await board.situation(instance_id))
        return await _do(board, instance_id, command, request, response)

    @api.post("/instances/{instance_id}/steps/{step_id}/reopen", dependencies=[Depends(records_known)])
    async def reopen(
        instance_id: InstanceId,
        step_id: StepId,
        body: MaybeReasonBody,
        request: CommandRequest,
        response: Response,
        _: Staff,
    ) -> Standing:
        """A step that is over is to be done again; those behind it are pending again."""
        command = Reopen(step_id, body.reason, await board.situation(instance_id))
        return await _do(board, instance_id, command, request, response)

    @api.post("/instances/{instance_id}/steps/{step_id}/assignee", dependencies=[Depends(records_known)])
    async def assign(
        instance_id: InstanceId,
        step_id: StepId,
        body: AssigneeBody,
        request: CommandRequest,
        response: Response,
        _: Staff,
    ) -> Standing:
        """Somebody else is to do the active step."""
        await board.check_assignee(body.assignee)
        return await _do(board, instance_id, Assign(step_id, body.assignee), request, response)


async def _do(board: Board, instance_id: str, command: Command, request: Request, response: Response) -> Standing:
    answer(response, await board.execute(instance_id, command, request))
    return await board.standing(instance_id)
