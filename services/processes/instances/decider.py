"""Running processes: started, their steps done one after the other, skipped, reopened or given to others, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.common import Text
from contracts.journeys import RecordRef
from contracts.processes import (
    Assignee,
    ContactAssignee,
    ProcessCancelled,
    ProcessNotStarted,
    ProcessStarted,
    StepDone,
    StepOverdue,
    StepPlan,
    StepReopened,
    StepSkipped,
    TaskDone,
    TaskSubmitted,
)
from services.processes.instances.advance import assigned, begin_again, go_on, group_of, instance_facts, step_facts
from services.processes.instances.state import Instance, NotPossible, NotStarted, State, Step, evolve
from services.processes.situation import Situation

MAXIMUM_DEPTH = 10
"""How many processes may start each other, one after the other, before it is taken for a loop."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a process that starts now follows."""

    process_id: str
    version: int
    title: Text
    on: str
    steps: tuple[StepPlan, ...]
    responsible: str | None


@dataclass(frozen=True, slots=True)
class Start:
    """A process is wanted on a record. `blueprint`: None when there is no such process."""

    instance_id: str
    process_id: str
    blueprint: Blueprint | None
    record: RecordRef
    situation: Situation
    contact_id: str | None = None
    portal_id: str | None = None
    submission_id: str | None = None
    effect: int | None = None
    started_by: str | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Complete:
    """A member of staff says that the step is done, whoever was to do it."""

    step_id: str
    situation: Situation


@dataclass(frozen=True, slots=True)
class ReportDone:
    """The contact to whom the step is assigned says that he is done."""

    step_id: str
    contact_id: str | None
    situation: Situation


@dataclass(frozen=True, slots=True)
class Submit:
    """The contact to whom the step is assigned has sent its journey."""

    step_id: str
    contact_id: str | None
    journey_id: str
    submission_id: str
    situation: Situation


@dataclass(frozen=True, slots=True)
class Skip:
    step_id: str
    reason: str
    situation: Situation


@dataclass(frozen=True, slots=True)
class Reopen:
    """A step that is over is to be done again."""

    step_id: str
    reason: str | None
    situation: Situation


@dataclass(frozen=True, slots=True)
class Assign:
    """Somebody else is to do the active step; it is due as before."""

    step_id: str
    assignee: Assignee


@dataclass(frozen=True, slots=True)
class Remind:
    """The day by which a step was to be done is over."""

    step_id: str
    due_on: date


@dataclass(frozen=True, slots=True)
class Cancel:
    reason: str


StepCommand = Complete | ReportDone | Submit | Skip | Reopen | Assign | Remind
Command = Start | StepCommand | Cancel


def decide(command: Command, state: State) -> Sequence[Event]:
    if isinstance(command, Start):
        return _start(command) if isinstance(state, NotStarted) else []
    if isinstance(state, NotStarted | NotPossible):
        raise NotFound("instance_not_found")
    return _decide(command, state)


def _decide(command: StepCommand | Cancel, state: Instance) -> Sequence[Event]:
    match command:
        case Cancel():
            return _cancel(state, command)
        case Complete(step_id, situation):
            return _over(state, _active(state, step_id), situation)
        case ReportDone():
            return _reported(state, command)
        case Submit():
            return _submitted(state, command)
        case Skip():
            return _skip(state, command)
        case Reopen():
            return _reopen(state, command)
        case Assign():
            return _assign(state, command)
        case Remind():
            return _overdue(state, command)
        case _:
            assert_never(command)


def _start(command: Start) -> Sequence[Event]:
    blueprint = command.blueprint
    code = _not_possible(command)
    if blueprint is None or code:
        return [
            ProcessNotStarted(
                process_id=command.process_id,
                code=code or "process_not_found",
                submission_id=command.submission_id,
                effect=command.effect,
                started_by=command.started_by,
            )
        ]
    started = ProcessStarted(
        instance_id=command.instance_id,
        process_id=blueprint.process_id,
        record=command.record,
        process_version=blueprint.version,
        title=blueprint.title,
        steps=blueprint.steps,
        contact_id=command.situation.contacts.get("customer", command.contact_id),
        portal_id=command.portal_id,
        submission_id=command.submission_id,
        effect=command.effect,
        started_by=command.started_by,
        depth=command.depth,
        responsible=blueprint.responsible,
    )
    instance = evolve(NotStarted(), started)
    assert isinstance(instance, Instance)  # noqa: S101 what ProcessStarted folds to
    return [started, *go_on(instance, None, command.situation)]


def _not_possible(command: Start) -> str | None:
    if command.blueprint is None:
        return "process_not_found"
    if command.blueprint.on != command.record.entity:
        return "process_for_other_entity"
    return "process_loop" if command.depth > MAXIMUM_DEPTH else None


def _over(instance: Instance, step: Step, situation: Situation) -> list[Event]:
    """The step is done, and the process goes on."""
    done = StepDone(**step_facts(instance, step.plan))
    return [done, *go_on(instance, step.plan.id, situation)]


def _reported(instance: Instance, command: ReportDone) -> Sequence[Event]:
    step = _own_task(instance, command.step_id, command.contact_id)
    if step.plan.journey and step.plan.done_on == "submit":
        raise Rejected("task_done_by_submission")
    return [_task_done(instance, step, step.submission_id), *_over(instance, step, command.situation)]


def _submitted(instance: Instance, command: Submit) -> Sequence[Event]:
    """Sent once more after it was taken is no news; a submission of something else concerns nobody here."""
    step = _own_task(instance, command.step_id, command.contact_id)
    if step.plan.journey != command.journey_id:
        raise Rejected("task_other_journey")
    if step.submission_id == command.submission_id:
        return []
    submitted = TaskSubmitted(**step_facts(instance, step.plan), submission_id=command.submission_id)
    if step.plan.done_on == "confirm":
        return [submitted]
    done = _task_done(instance, step, command.submission_id)
    return [submitted, done, *_over(instance, step, command.situation)]


def _task_done(instance: Instance, step: Step, submission_id: str | None) -> TaskDone:
    assert step.assignee is not None  # noqa: S101 whoever reports it
    return TaskDone(
        **step_facts(instance, step.plan),
        assignee=step.assignee,
        title=step.plan.title,
        submission_id=submission_id,
        contact_id=instance.contact_id,
        portal_id=instance.portal_id,
        group=group_of(instance, step.plan),
    )


def _skip(instance: Instance, command: Skip) -> Sequence[Event]:
    plan = _active(instance, command.step_id).plan
    skipped = StepSkipped(**step_facts(instance, plan), reason=command.reason)
    return [skipped, *go_on(instance, plan.id, command.situation, skipped=True)]


def _cancel(instance: Instance, command: Cancel) -> Sequence[Event]:
    _refuse_unless_open(instance)
    facts = instance_facts(instance)
    return [ProcessCancelled(**facts, reason=command.reason, submission_id=instance.submission_id)]


def _reopen(instance: Instance, command: Reopen) -> Sequence[Event]:
    if instance.status == "cancelled":
        raise Rejected("process_not_open", status=instance.status)
    step = _step(instance, command.step_id)
    if step.status not in {"done", "skipped"}:
        raise Rejected("step_not_over", status=step.status)
    reopened = StepReopened(**step_facts(instance, step.plan), reason=command.reason)
    again = evolve(instance, reopened)
    assert isinstance(again, Instance)  # noqa: S101 a process stays one
    return [reopened, *begin_again(again, step.plan, command.situation)]


def _assign(instance: Instance, command: Assign) -> Sequence[Event]:
    step = _active(instance, command.step_id)
    if step.assignee == command.assignee:
        return []
    return [assigned(instance, step.plan, command.assignee, step.due_on)]


def _overdue(instance: Instance, command: Remind) -> Sequence[Event]:
    """Nothing, when it was done meanwhile or has got another day."""
    step = instance.find(command.step_id)
    waits = step is not None and instance.status == "open" and step.status == "active"
    if step is None or not waits or step.due_on != command.due_on:
        return []
    return [
        StepOverdue(
            **step_facts(instance, step.plan),
            due_on=command.due_on,
            assignee=step.assignee,
            title=step.plan.title,
            contact_id=instance.contact_id,
            portal_id=instance.portal_id,
            group=group_of(instance, step.plan),
        )
    ]


def _active(instance: Instance, step_id: str) -> Step:
    _refuse_unless_open(instance)
    step = _step(instance, step_id)
    if step.status != "active":
        raise Rejected("step_not_active", status=step.status)
    return step


def _own_task(instance: Instance, step_id: str, contact_id: str | None) -> Step:
    """The open task of a contact. What is somebody else's does not exist for him."""
    step = instance.find(step_id)
    assignee = step.assignee if step else None
    if step is None or not isinstance(assignee, ContactAssignee) or assignee.contact_id != contact_id:
        raise NotFound("task_not_found")
    if instance.status != "open" or step.status != "active":
        raise Rejected("task_not_open")
    return step


def _step(instance: Instance, step_id: str) -> Step:
    step = instance.find(step_id)
    if step is None:
        raise NotFound("step_not_found")
    return step


def _refuse_unless_open(instance: Instance) -> None:
    if instance.status != "open":
        raise Rejected("process_not_open", status=instance.status)


INSTANCE: Decider[Command, State] = Decider("process", NotStarted(), decide, evolve)
