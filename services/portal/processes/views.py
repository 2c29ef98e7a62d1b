"""Running processes, one document each: their steps, whose turn it is, and what is a contact's to do.

A process is one stream, so its events come in order. Whose the record is now is joined when it is read.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.common import Text
from contracts.envelope import Envelope
from contracts.journeys import RecordRef
from contracts.processes import (
    Assignee,
    Audience,
    Audiences,
    ContactAssignee,
    DoneOn,
    ProcessCancelled,
    ProcessCompleted,
    ProcessStarted,
    StepActivated,
    StepDone,
    StepPlan,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskDone,
    TaskSubmitted,
)

StepStatus = Literal["pending", "active", "done", "skipped"]
ProcessStatus = Literal["open", "completed", "cancelled"]
OfStep = StepActivated | TaskAssigned | TaskSubmitted | TaskDone | StepDone | StepSkipped


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StepDoc(Document):
    """A step and how it stands; who is or was to do it since it was last activated.

    `conditional`: whether its turn comes is decided then. `left_out`: it never came.
    """

    id: str
    title: Text
    info: Audiences
    shown_to: tuple[Audience, ...]
    journey: str | None
    done_on: DoneOn
    conditional: bool
    status: StepStatus = "pending"
    left_out: bool = False
    due_on: date | None = None
    assignee: Assignee | None = None
    assigned_at: datetime | None = None
    submission_id: str | None = None
    done_at: datetime | None = None

    @classmethod
    def of(cls, plan: StepPlan) -> StepDoc:
        return cls(
            id=plan.id,
            title=plan.title,
            info=plan.info,
            shown_to=plan.shown_to,
            journey=plan.journey,
            done_on=plan.done_on,
            conditional=bool(plan.when),
        )

    def again(self) -> StepDoc:
        """As if nothing had happened."""
        nothing = dict.fromkeys(("due_on", "assignee", "assigned_at", "submission_id", "done_at"))
        return self.model_copy(update={**nothing, "status": "pending", "left_out": False})


class ProcessDoc(Document):
    """A process. What is derived for queries: the contacts who have or had tasks in it by their role (`customer`,
    `installer`), whom it waits for now (a contact, or staff), and whether there are tasks with nothing left to do.
    """

    instance_id: str
    process_id: str
    record: RecordRef
    title: Text
    status: ProcessStatus
    started_at: datetime
    changed_at: datetime
    ended_at: datetime | None = None
    steps: tuple[StepDoc, ...]
    customer: str | None = None
    installer: str | None = None
    waits_for: str | None = None
    waits_for_staff: bool = False
    has_tasks_behind: bool = False

    def find(self, step_id: str) -> StepDoc | None:
        return next((step for step in self.steps if step.id == step_id), None)

    def tasks_of(self, contact_id: str) -> list[StepDoc]:
        """The steps that are or were a contact's to do, in their order."""
        return [step for step in self.steps if is_assigned(step, contact_id)]

    def is_open(self, step: StepDoc) -> bool:
        """Whether there is something to do now."""
        return self.status == "open" and step.status == "active"


def is_assigned(step: StepDoc, contact_id: str | None) -> bool:
    return isinstance(step.assignee, ContactAssignee) and step.assignee.contact_id == contact_id


def key(envelope: Envelope) -> str | None:
    event = envelope.event
    return event.instance_id if isinstance(event, EVENTS) else None


def evolve(before: ProcessDoc | None, envelope: Envelope) -> ProcessDoc | None:
    event = envelope.event
    if isinstance(event, ProcessStarted):
        return ProcessDoc(
            instance_id=event.instance_id,
            process_id=event.process_id,
            record=event.record,
            title=event.title,
            status="open",
            started_at=envelope.time,
            changed_at=envelope.time,
            steps=tuple(map(StepDoc.of, event.steps)),
        )
    if before is None:
        return None
    process = before.model_copy(update={"changed_at": envelope.time})
    match event:
        case StepReopened(step_id=step_id):
            process = _reopened(process, step_id)
        case ProcessCompleted():
            process = process.model_copy(update={"status": "completed", "ended_at": envelope.time})
        case ProcessCancelled():
            process = process.model_copy(update={"status": "cancelled", "ended_at": envelope.time})
        case StepActivated() | TaskAssigned() | TaskSubmitted() | TaskDone() | StepDone() | StepSkipped():
            steps = (_moved(step, event, envelope.time) if step.id == event.step_id else step for step in process.steps)
            process = process.model_copy(update={"steps": tuple(steps)})
        case _:
            return before
    return _with_those_who_have_tasks(process)


def _moved(step: StepDoc, event: OfStep, at: datetime) -> StepDoc:
    match event:
        case StepActivated():
            return step.again().model_copy(update={"status": "active", "due_on": event.due_on})
        case TaskAssigned():
            assigned = {"assignee": event.assignee, "assigned_at": at, "due_on": event.due_on}
            return step.model_copy(update=assigned)
        case TaskSubmitted():
            return step.model_copy(update={"submission_id": event.submission_id})
        case TaskDone():
            return step.model_copy(update={"submission_id": event.submission_id or step.submission_id})
        case StepDone():
            return step.model_copy(update={"status": "done", "done_at": at})
        case StepSkipped():
            skipped = {"status": "skipped", "left_out": event.reason is None, "done_at": at}
            return step.model_copy(update=skipped)


def _reopened(process: ProcessDoc, step_id: str) -> ProcessDoc:
    """The step and all behind it are as if nothing had happened; the process goes on."""
    ids = [step.id for step in process.steps]
    first = ids.index(step_id) if step_id in ids else len(ids)
    steps = (*process.steps[:first], *(step.again() for step in process.steps[first:]))
    return process.model_copy(update={"steps": steps, "status": "open", "ended_at": None})


def _with_those_who_have_tasks(process: ProcessDoc) -> ProcessDoc:
    found: dict[str, str | bool | None] = dict.fromkeys(("customer", "installer", "waits_for"))
    found |= {"waits_for_staff": False, "has_tasks_behind": False}
    for step in process.steps:
        if isinstance(step.assignee, ContactAssignee):
            found[step.assignee.role] = step.assignee.contact_id
            found["has_tasks_behind"] = found["has_tasks_behind"] or not process.is_open(step)
        if process.is_open(step):
            found["waits_for"] = step.assignee.contact_id if isinstance(step.assignee, ContactAssignee) else None
            found["waits_for_staff"] = found["waits_for"] is None
    return process.model_copy(update=found)


EVENTS = (
    ProcessStarted,
    StepActivated,
    TaskAssigned,
    TaskSubmitted,
    TaskDone,
    StepDone,
    StepSkipped,
    StepReopened,
    ProcessCompleted,
    ProcessCancelled,
)

PROCESSES = View(
    name="processes",
    version=1,
    document=ProcessDoc,
    events=EVENTS,
    key=key,
    evolve=evolve,
    indexes={
        "record": "(doc->'record'->>'id'), (doc->>'started_at'), key",
        "customer": "(doc->>'customer'), (doc->>'changed_at'), key",
        "installer": "(doc->>'installer'), (doc->>'changed_at'), key",
        "waits_for": "(doc->>'waits_for'), (doc->>'changed_at'), key",
        "waits_for_staff": "(doc->>'waits_for_staff')",
    },
)
