"""Events of processes: what is defined, what runs, and whose turn it is."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract, Event
from contracts.common import Json, Text
from contracts.conditions import When
from contracts.journeys import RecordRef

Audience = Literal["customer", "installer"]
DoneOn = Literal["submit", "confirm"]
ActionKind = Literal["mail", "set", "start_process", "confirm_cancellation"]


class Audiences(Contract):
    """A text for those who are shown it; null: this audience sees no such text."""

    customer: Text | None = None
    installer: Text | None = None


class ContactAssignee(Contract):
    """A customer or installer who sees the task in his portal."""

    kind: Literal["contact"] = "contact"
    role: Audience
    contact_id: str


class GroupAssignee(Contract):
    """A group of staff."""

    kind: Literal["group"] = "group"
    group: str


class StaffAssignee(Contract):
    """One member of staff."""

    kind: Literal["staff"] = "staff"
    staff_id: str


class RoleAssignee(Contract):
    """The customer or installer of the record, whoever that is when it is the step's turn."""

    kind: Literal["role"] = "role"
    role: Audience


Assignee = Annotated[ContactAssignee | GroupAssignee | StaffAssignee, Field(discriminator="kind")]
PlannedAssignee = Annotated[RoleAssignee | GroupAssignee | StaffAssignee, Field(discriminator="kind")]


class Automation(Contract):
    """What is done by itself, when it is a step's turn or when the step is done; see ActionRequested."""

    kind: ActionKind
    parameters: dict[str, Json]
    at: Literal["turn", "done"] = "turn"


class StepPlan(Contract):
    """A step of a running process as its definition had it."""

    id: str
    title: Text
    description: Text | None
    info: Audiences
    shown_to: tuple[Audience, ...] = Field(description="Who sees the step in a portal")
    journey: str | None
    done_on: DoneOn
    assign: PlannedAssignee | None = Field(default=None, description="Null: whoever of the staff takes it")
    due_days: int | None = Field(default=None, description="Days from its turn on")
    when: When = Field(default=(), description="The step is left out unless this holds at its turn")
    automation: tuple[Automation, ...] = ()


class ProcessDefined(Event, service="processes"):
    """A version of a process: what starts from now on follows it."""

    process_id: str
    process_version: int
    title: Text
    on: str = Field(description="The entity that it is attached to, e.g. contract")
    definition: dict[str, Json] = Field(description="The whole document as it was written")


class _OfInstance(Event, abstract=True):
    instance_id: str
    process_id: str
    record: RecordRef


class ProcessStarted(_OfInstance, service="processes"):
    """A process runs, attached to a record."""

    process_version: int
    title: Text
    steps: tuple[StepPlan, ...]
    contact_id: str | None = Field(description="The contact that the record belongs to")
    portal_id: str | None
    submission_id: str | None = Field(description="The submission that started it")
    effect: int | None = Field(description="Which effect of the submission it is")
    started_by: str | None = Field(default=None, description="The process whose automation started it")
    depth: int = Field(default=0, description="How many processes started each other before it")
    responsible: str | None = Field(default=None, description="The group of staff that is told of what is done")


class ProcessNotStarted(Event, service="processes"):
    """A submission or an automation asked for a process that could not be started."""

    process_id: str
    code: str
    submission_id: str | None
    effect: int | None
    started_by: str | None = Field(default=None, description="The process whose automation asked for it")


class _OfStep(_OfInstance, abstract=True):
    step_id: str


class StepActivated(_OfStep, service="processes"):
    """It is the step's turn."""

    due_on: date | None


class TaskAssigned(_OfStep, service="processes"):
    """Somebody is to do the step, instead of whoever was to do it before."""

    assignee: Assignee
    title: Text
    info: Audiences
    journey: str | None = Field(description="The journey that is opened from the task")
    done_on: DoneOn
    due_on: date | None
    contact_id: str | None = Field(description="The contact that the record belongs to")
    portal_id: str | None


class TaskSubmitted(_OfStep, service="processes"):
    """The journey of a task was submitted; whoever is assigned has still to say that he is done."""

    submission_id: str


class TaskDone(_OfStep, service="processes"):
    """Whoever was assigned says that he is done."""

    assignee: Assignee
    title: Text
    submission_id: str | None = Field(description="What he submitted")
    contact_id: str | None
    portal_id: str | None
    group: str | None = Field(default=None, description="The group of staff that goes on; null: any of the staff")


class StepDone(_OfStep, service="processes"):
    """The step is over."""


class StepSkipped(_OfStep, service="processes"):
    """The step was left out: its condition did not hold (`reason` is null), or staff decided so."""

    reason: str | None


class StepReopened(_OfStep, service="processes"):
    """The step is to be done again; the steps behind it are pending again, also in a process that was completed."""

    reason: str | None


class StepOverdue(_OfStep, service="processes"):
    """A step was not done by its day."""

    due_on: date
    assignee: Assignee | None
    title: Text
    contact_id: str | None
    portal_id: str | None
    group: str | None = Field(description="The group of staff that is responsible")


class ActionRequested(_OfStep, service="processes"):
    """An automation of a step: its owner carries it out.

    `mail` {template, to: customer|installer|staff, attach}, `set` {set: {attribute: value}}, `confirm_cancellation` {},
    `start_process` {process}.
    """

    action: int = Field(description="Its place among the step's automations")
    kind: ActionKind
    parameters: dict[str, Json]
    contact_id: str | None
    portal_id: str | None
    installer_id: str | None = Field(default=None, description="The contact of the record's installer")
    group: str | None = Field(default=None, description="The group of staff that is responsible")
    process_title: Text | None = None
    submission_id: str | None = Field(default=None, description="The submission that started the process")
    depth: int = Field(default=0, description="How many processes started each other before this one")


class ProcessCompleted(_OfInstance, service="processes"):
    """All steps are over."""

    submission_id: str | None


class ProcessCancelled(_OfInstance, service="processes"):
    """The process was ended before its last step."""

    reason: str
    submission_id: str | None
