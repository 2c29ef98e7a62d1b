"""What the rules need to know of a running process: its steps as they were planned, and how each stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from contracts.base import Event
from contracts.common import Text
from contracts.journeys import RecordRef
from contracts.processes import (
    Assignee,
    ProcessCancelled,
    ProcessCompleted,
    ProcessNotStarted,
    ProcessStarted,
    StepActivated,
    StepDone,
    StepPlan,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskSubmitted,
)

StepStatus = Literal["pending", "active", "done", "skipped"]
Status = Literal["open", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step, and who is or was to do it."""

    plan: StepPlan
    status: StepStatus = "pending"
    assignee: Assignee | None = None
    due_on: date | None = None
    submission_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Nothing was asked for yet."""


@dataclass(frozen=True, slots=True)
class NotPossible:
    """It was asked for and could not be started."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A process that was started."""

    id: str
    process_id: str
    title: Text
    record: RecordRef
    contact_id: str | None
    portal_id: str | None
    submission_id: str | None
    depth: int
    responsible: str | None
    steps: tuple[Step, ...]
    status: Status = "open"

    def find(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.plan.id == step_id), None)


State = NotStarted | NotPossible | Instance


def evolve(state: State, event: Event) -> State:
    if isinstance(state, Instance):
        return _gone_on(state, event)
    match state, event:
        case NotStarted(), ProcessStarted():
            return _started(event)
        case NotStarted(), ProcessNotStarted():
            return NotPossible()
        case _:
            return state


def _gone_on(instance: Instance, event: Event) -> Instance:
    match event:
        case StepReopened(step_id=step_id):
            return _reopened(instance, step_id)
        case ProcessCompleted():
            return replace(instance, status="completed")
        case ProcessCancelled():
            return replace(instance, status="cancelled")
        case _:
            concerned = getattr(event, "step_id", None)
            steps = tuple(_moved(step, event) if step.plan.id == concerned else step for step in instance.steps)
            return replace(instance, steps=steps)


def _moved(step: Step, event: Event) -> Step:
    match event:
        case StepActivated(due_on=due_on):
            return Step(step.plan, "active", due_on=due_on)
        case TaskAssigned(assignee=assignee):
            return replace(step, assignee=assignee)
        case TaskSubmitted(submission_id=submission_id):
            return replace(step, submission_id=submission_id)
        case StepDone():
            return replace(step, status="done")
        case StepSkipped():
            return replace(step, status="skipped")
        case _:
            return step


def _started(event: ProcessStarted) -> Instance:
    return Instance(
        id=event.instance_id,
        process_id=event.process_id,
        title=event.title,
        record=event.record,
        contact_id=event.contact_id,
        portal_id=event.portal_id,
        submission_id=event.submission_id,
        depth=event.depth,
        responsible=event.responsible,
        steps=tuple(map(Step, event.steps)),
    )


def _reopened(instance: Instance, step_id: str) -> Instance:
    """The step and all behind it are as if nothing had happened; the process goes on."""
    ids = [step.plan.id for step in instance.steps]
    if step_id not in ids:
        return instance
    first = ids.index(step_id)
    again = tuple(Step(step.plan) for step in instance.steps[first:])
    return replace(instance, steps=instance.steps[:first] + again, status="open")
