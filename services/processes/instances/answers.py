"""What the endpoints of processes take and answer."""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.errors import Rejected
from contracts.common import Text
from contracts.journeys import RecordRef
from contracts.processes import Assignee, DoneOn
from services.processes.instances.views import InstanceDoc, PathStep, StepDoc

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True)]
ShortId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecordBody(_Body):
    entity: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    id: ShortId

    def ref(self) -> RecordRef:
        return RecordRef(entity=self.entity, id=self.id)


class StartBody(_Body):
    """A process to start on a record. `portal_id`: where its customer sees it, if it matters."""

    process: ShortId
    record: RecordBody
    portal_id: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None


class ReasonBody(_Body):
    reason: Reason


class MaybeReasonBody(_Body):
    reason: Reason | None = None


class AssigneeBody(_Body):
    """{kind: contact, role, contact_id}, {kind: group, group} or {kind: staff, staff_id}."""

    assignee: Assignee


class Started(BaseModel):
    """The process runs."""

    instance_id: str


class Standing(BaseModel):
    """The process as it stands after a command of staff."""

    instance_id: str
    status: Literal["open", "completed", "cancelled"]
    active_step: str | None


class Reported(BaseModel):
    """It is noted that the task is done."""

    instance_id: str
    step_id: str


class InstancePage(BaseModel):
    """Processes, the newest first."""

    items: list[InstanceDoc]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class Task(BaseModel):
    """A step that waits for somebody."""

    instance_id: str
    step_id: str
    process_id: str
    process_title: Text
    record: RecordRef
    title: Text
    description: Text | None = Field(description="For staff only")
    info: Text | None = Field(description="For the audience of the one who asks")
    journey: str | None
    done_on: DoneOn
    submitted: bool = Field(description="Whether the journey was sent")
    assignee: Assignee | None
    activated_at: datetime | None
    due_on: date | None
    overdue: bool


class TaskPage(BaseModel):
    """Tasks, what is due first at the top."""

    items: list[Task]
    next: str | None


class TaskDetail(Task):
    """A task and the way of the process that it belongs to."""

    steps: tuple[PathStep, ...]


def task_of(doc: InstanceDoc, step: StepDoc, role: str, today: date) -> Task:
    """A task as staff or an audience see it."""
    plan = step.plan
    return Task(
        instance_id=doc.id,
        step_id=plan.id,
        process_id=doc.process_id,
        process_title=doc.title,
        record=doc.record,
        title=plan.title,
        description=None if role in {"customer", "installer"} else plan.description,
        info=getattr(plan.info, role, None),
        journey=plan.journey,
        done_on=plan.done_on,
        submitted=step.submission_id is not None,
        assignee=step.assignee,
        activated_at=step.activated_at,
        due_on=step.due_on,
        overdue=step.due_on is not None and step.due_on < today,
    )


def write_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(" ".join(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, parts: int) -> list[str] | None:
    """What `write_cursor` was given. Raises Rejected for anything else."""
    if not cursor:
        return None
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
    except (binascii.Error, ValueError):
        raise Rejected("invalid_cursor") from None
    if len(found) != parts or any("\0" in part for part in found):
        raise Rejected("invalid_cursor")
    return found
