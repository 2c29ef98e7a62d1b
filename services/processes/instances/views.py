"""Running processes as staff see them on their board, and as a portal shows them to one audience."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.base import Event
from contracts.common import Text
from contracts.envelope import Envelope
from contracts.journeys import RecordRef
from contracts.processes import (
    Assignee,
    Audience,
    ContactAssignee,
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
from services.processes.instances.state import Status, StepStatus


class Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepDoc(Document):
    """A step. `by`: who did, skipped or reopened it last; `reason`: why it was skipped or reopened."""

    plan: StepPlan
    status: StepStatus = "pending"
    assignee: Assignee | None = None
    due_on: date | None = None
    submission_id: str | None = None
    reported_at: datetime | None = None
    activated_at: datetime | None = None
    over_at: datetime | None = None
    by: str | None = None
    reason: str | None = None


class InstanceDoc(Document):
    """A process with its steps. `active` is the step whose turn it is."""

    id: str
    process_id: str
    process_version: int
    title: Text
    record: RecordRef
    contact_id: str | None
    portal_id: str | None
    submission_id: str | None
    started_by: str | None
    responsible: str | None
    status: Status = "open"
    started_at: datetime
    ended_at: datetime | None = None
    reason: str | None = None
    by: str | None = None
    steps: tuple[StepDoc, ...]
    active: StepDoc | None = None

    def find(self, step_id: str) -> StepDoc | None:
        return next((step for step in self.steps if step.plan.id == step_id), None)

    def concerns(self, contact_id: str | None) -> bool:
        """Whether the record belongs to a contact, or a task is or was his."""
        if contact_id is None:
            return False
        assignees = (step.assignee for step in self.steps)
        tasks = {each.contact_id for each in assignees if isinstance(each, ContactAssignee)}
        return contact_id in {self.contact_id, *tasks}


def key(envelope: Envelope) -> str | None:
    return getattr(envelope.event, "instance_id", None)


def evolve(doc: InstanceDoc | None, envelope: Envelope) -> InstanceDoc | None:
    event = envelope.event
    if isinstance(event, ProcessStarted):
        return _started(event, envelope.time)
    if doc is None:
        return None
    changes = _ending(event, envelope)
    if changes is not None:
        doc = doc.model_copy(update=changes)
    elif isinstance(event, StepReopened):
        doc = doc.model_copy(
            update={"steps": _reopened(doc.steps, event, envelope), "status": "open", "ended_at": None}
        )
    elif step_id := getattr(event, "step_id", None):
        steps = tuple(
            step.model_copy(update=_step_changes(event, envelope)) if step.plan.id == step_id else step
            for step in doc.steps
        )
        doc = doc.model_copy(update={"steps": steps})
    active = (step for step in doc.steps if step.status == "active" and doc.status == "open")
    return doc.model_copy(update={"active": next(active, None)})


def _started(event: ProcessStarted, at: datetime) -> InstanceDoc:
    return InstanceDoc(
        id=event.instance_id,
        process_id=event.process_id,
        process_version=event.process_version,
        title=event.title,
        record=event.record,
        contact_id=event.contact_id,
        portal_id=event.portal_id,
        submission_id=event.submission_id,
        started_by=event.started_by,
        responsible=event.responsible,
        started_at=at,
        steps=tuple(StepDoc(plan=plan) for plan in event.steps),
    )


def _ending(event: Event, envelope: Envelope) -> dict[str, Any] | None:
    match event:
        case ProcessCompleted():
            return {"status": "completed", "ended_at": envelope.time}
        case ProcessCancelled(reason=reason):
            by = envelope.metadata.actor
            return {"status": "cancelled", "ended_at": envelope.time, "reason": reason, "by": by}
        case _:
            return None


def _step_changes(event: Event, envelope: Envelope) -> dict[str, Any]:
    match event:
        case StepActivated(due_on=due_on):
            return {"status": "active", "due_on": due_on, "activated_at": envelope.time, "over_at": None}
        case TaskAssigned(assignee=assignee):
            return {"assignee": assignee}
        case TaskSubmitted(submission_id=submission_id):
            return {"submission_id": submission_id}
        case TaskDone():
            return {"reported_at": envelope.time}
        case StepDone():
            return {"status": "done", "over_at": envelope.time, "by": envelope.metadata.actor}
        case StepSkipped(reason=reason):
            by = envelope.metadata.actor if reason else None
            return {"status": "skipped", "over_at": envelope.time, "by": by, "reason": reason}
        case _:
            return {}


def _reopened(steps: Sequence[StepDoc], event: StepReopened, envelope: Envelope) -> tuple[StepDoc, ...]:
    ids = [step.plan.id for step in steps]
    first = ids.index(event.step_id) if event.step_id in ids else len(ids)
    again = [StepDoc(plan=step.plan) for step in steps[first:]]
    if again:
        again[0] = again[0].model_copy(update={"by": envelope.metadata.actor, "reason": event.reason})
    return (*steps[:first], *again)


_ACTIVE = "(doc->'active'->'assignee'->>'{}')"
INSTANCES = View(
    "instances",
    1,
    InstanceDoc,
    (
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
    ),
    key,
    evolve,
    indexes={
        "newest": "(doc->>'status'), (doc->>'started_at') DESC, key DESC",
        "of_record": "(doc->'record'->>'id'), (doc->>'started_at') DESC, key DESC",
        "of_contact": "(doc->>'contact_id'), (doc->>'started_at') DESC, key DESC",
        **{f"by_{name}": _ACTIVE.format(name) for name in ("contact_id", "group", "staff_id")},
    },
)
Instances = ViewReader[InstanceDoc]
NEWEST_FIRST = "doc->>'started_at' DESC, key DESC"
SOONEST_FIRST = "doc->'active'->>'due_on' ASC NULLS LAST, doc->'active'->>'activated_at', key"
_WHERE = {
    "status": "doc->>'status' = %s",
    "process_id": "doc->>'process_id' = %s",
    "entity": "doc->'record'->>'entity' = %s",
    "record_id": "doc->'record'->>'id' = %s",
    "contact_id": "doc->>'contact_id' = %s",
    "assigned_contact": f"{_ACTIVE.format('contact_id')} = %s",
    "group": f"{_ACTIVE.format('group')} = %s",
    "staff_id": f"{_ACTIVE.format('staff_id')} = %s",
    "due_before": "doc->'active'->>'due_on' < %s",
}


async def list_instances(
    instances: Instances, filters: dict[str, str | None], behind: tuple[str, str] | None, limit: int
) -> list[InstanceDoc]:
    """Processes, the newest first, behind the one with that time and id."""
    where, parameters = _conditions(filters)
    if behind:
        where.append("(doc->>'started_at', key) < (%s, %s)")
        parameters += behind
    return await instances.find(" AND ".join(where), parameters, order=NEWEST_FIRST, limit=limit)


async def list_tasks(
    instances: Instances, filters: dict[str, str | None], limit: int, offset: int
) -> list[InstanceDoc]:
    """Open processes with an active step, what is due first at the top."""
    where, parameters = _conditions({"status": "open", **filters})
    where.append("doc->'active' <> 'null'::jsonb")
    return await instances.find(" AND ".join(where), parameters, order=SOONEST_FIRST, limit=limit, offset=offset)


def _conditions(filters: dict[str, str | None]) -> tuple[list[str], list[object]]:
    given = {name: value for name, value in filters.items() if value is not None}
    return [_WHERE[name] for name in given] or ["true"], list(given.values())


class PathStep(Document):
    """A step as an audience sees it. `journey` and `done_on` are there where it is the reader's own open task."""

    id: str
    title: Text
    info: Text | None
    status: StepStatus
    due_on: date | None
    over_at: datetime | None
    yours: bool
    journey: str | None
    done_on: str | None
    submitted: bool


class Path(Document):
    """The way of a process as one audience sees it, step after step."""

    instance_id: str
    process_id: str
    title: Text
    record: RecordRef
    status: Status
    started_at: datetime
    ended_at: datetime | None
    steps: tuple[PathStep, ...]


def path_for(doc: InstanceDoc, audience: Audience, contact_id: str | None) -> Path:
    """What an audience sees: steps that are shown to it, without those left out and those that only may come."""
    return Path(
        instance_id=doc.id,
        process_id=doc.process_id,
        title=doc.title,
        record=doc.record,
        status=doc.status,
        started_at=doc.started_at,
        ended_at=doc.ended_at,
        steps=tuple(_path_step(doc, step, audience, contact_id) for step in doc.steps if _is_shown(step, audience)),
    )


def _is_shown(step: StepDoc, audience: Audience) -> bool:
    uncertain = step.status == "pending" and bool(step.plan.when)
    return audience in step.plan.shown_to and step.status != "skipped" and not uncertain


def is_task_of(doc: InstanceDoc, step: StepDoc, contact_id: str | None) -> bool:
    """Whether a step is an open task of a contact."""
    mine = isinstance(step.assignee, ContactAssignee) and step.assignee.contact_id == contact_id
    return mine and step.status == "active" and doc.status == "open"


def _path_step(doc: InstanceDoc, step: StepDoc, audience: Audience, contact_id: str | None) -> PathStep:
    yours = is_task_of(doc, step, contact_id)
    return PathStep(
        id=step.plan.id,
        title=step.plan.title,
        info=getattr(step.plan.info, audience),
        status=step.status,
        due_on=step.due_on if yours else None,
        over_at=step.over_at,
        yours=yours,
        journey=step.plan.journey if yours else None,
        done_on=step.plan.done_on if yours else None,
        submitted=step.submission_id is not None,
    )
