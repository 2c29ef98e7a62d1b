"""Processes and tasks as portals show them: one line of steps for an audience, however the process is made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from contracts.common import Text
from services.portal.processes.queries import Found, Task
from services.portal.processes.views import ProcessDoc, ProcessStatus, StepDoc, StepStatus, is_assigned
from services.portal.visitor import Visitor

TASK_EXAMPLE: dict[str, JsonValue] = {
    "instance_id": "5f0c2a9e-6f53-5d0e-8f5e-0d3a3f1d7c11",
    "step_id": "proof",
    "status": "open",
    "title": {"de": "Nachweis einreichen", "en": "Send proof"},
    "info": {"de": "Bitte senden Sie uns die Meldebestätigung.", "en": "Please send us the confirmation."},
    "journey_id": "upload_proof",
    "done_on": "submit",
    "submission_id": None,
    "due_on": "2026-11-24",
    "overdue": False,
    "assigned_at": "2026-11-10T09:30:00Z",
    "process_id": "cancellation",
    "process_title": {"de": "Kündigung", "en": "Cancellation"},
    "record": {"entity": "contract", "id": "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11", "title": "V-1001"},
}


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Record(Answer):
    """What it is about; `title` is what people call it, e.g. the number of a contract."""

    entity: str
    id: str
    title: str | None


class Step(Answer):
    """A step that the audience is shown."""

    id: str
    title: Text
    info: Text | None = Field(description="What it means for the reader")
    status: StepStatus
    is_active: bool = Field(
        description="Where the process is, as the reader sees it: the first step that is not over, also while a step "
        "that is not shown is worked on"
    )
    is_certain: bool = Field(description="False while it depends on a condition whether its turn comes")
    due_on: date | None
    done_at: datetime | None
    is_mine: bool = Field(description="It is or was the reader's to do; see the task of the same instance and step")


class Process(Answer):
    """A process with its steps in one line."""

    instance_id: str
    process_id: str
    title: Text
    status: ProcessStatus
    record: Record
    started_at: datetime
    ended_at: datetime | None
    steps: list[Step]


class ProcessPage(Answer):
    """Processes, the newest first."""

    items: list[Process]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class ShownTask(Answer):
    """Something that the reader is or was to do. It is done with its journey, or said to be done to processes."""

    model_config = ConfigDict(json_schema_extra={"example": TASK_EXAMPLE})

    instance_id: str
    step_id: str
    status: Literal["open", "done", "withdrawn"]
    title: Text
    info: Text | None
    journey_id: str | None = Field(description="What `POST /tickets` opens; null: there is only to be confirmed")
    done_on: Literal["submit", "confirm"] = Field(description="confirm: the reader says himself that he is done")
    submission_id: str | None = Field(description="What he has submitted for it")
    due_on: date | None
    overdue: bool
    assigned_at: datetime | None
    process_id: str
    process_title: Text
    record: Record


class TaskDetails(Answer):
    """A task, and the process around it."""

    task: ShownTask
    process: Process


class TaskPage(Answer):
    """Tasks, open ones first."""

    items: list[ShownTask]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def process_answer(found: Found, visitor: Visitor) -> Process:
    process = found.process
    return Process(
        instance_id=process.instance_id,
        process_id=process.process_id,
        title=process.title,
        status=process.status,
        record=_record(found),
        started_at=process.started_at,
        ended_at=process.ended_at,
        steps=_steps(process, visitor),
    )


def task_answer(task: Task, audience: str, today: date) -> ShownTask:
    process, step = task.found.process, task.step
    is_open = process.is_open(step)
    return ShownTask(
        instance_id=process.instance_id,
        step_id=step.id,
        status="open" if is_open else "done" if step.status == "done" else "withdrawn",
        title=step.title,
        info=_info(step, audience),
        journey_id=step.journey,
        done_on=step.done_on,
        submission_id=step.submission_id,
        due_on=step.due_on,
        overdue=is_open and step.due_on is not None and step.due_on < today,
        assigned_at=step.assigned_at,
        process_id=process.process_id,
        process_title=process.title,
        record=_record(task.found),
    )


def _steps(process: ProcessDoc, visitor: Visitor) -> list[Step]:
    shown = [step for step in process.steps if _is_shown(step, visitor)]
    current = _current(shown) if process.status == "open" else None
    return [
        Step(
            id=step.id,
            title=step.title,
            info=_info(step, visitor.audience),
            status=step.status,
            is_active=step is current,
            is_certain=not step.conditional or step.status != "pending",
            due_on=step.due_on,
            done_at=step.done_at,
            is_mine=visitor.contact_id is not None and is_assigned(step, visitor.contact_id),
        )
        for step in shown
    ]


def _current(steps: Iterable[StepDoc]) -> StepDoc | None:
    return next((step for step in steps if step.status in {"pending", "active"}), None)


def _is_shown(step: StepDoc, visitor: Visitor) -> bool:
    if visitor.visit.sees_all:
        return True
    mine = is_assigned(step, visitor.contact_id)
    return not step.left_out and (visitor.audience in step.shown_to or mine)


def _info(step: StepDoc, audience: str) -> Text | None:
    return step.info.installer if audience == "installer" else step.info.customer


def _record(found: Found) -> Record:
    record = found.process.record
    return Record(entity=record.entity, id=record.id, title=found.record_title)
