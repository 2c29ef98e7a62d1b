"""Portals, records and open tasks: what rules and conditions are evaluated on. Values of living persons only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.base import Sealed, known
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.portal import Action, PortalConfigured
from contracts.processes import (
    ContactAssignee,
    ProcessCancelled,
    ProcessCompleted,
    ProcessStarted,
    StepDone,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskDone,
)
from services.journeys.personal import PersonalDoc


class PortalDoc(BaseModel):
    """What a portal allows."""

    model_config = ConfigDict(frozen=True)

    id: str
    enabled: bool
    actions: tuple[Action, ...]


class RecordDoc(PersonalDoc):
    """A record with all its attributes; `personal` are those of its person."""

    personal: dict[str, Json]
    attributes: dict[str, Json]
    relations: dict[str, tuple[str, ...]]

    @property
    def values(self) -> dict[str, Json]:
        return {**self.attributes, **self.personal}


class OpenTask(BaseModel):
    """A task that waits for a contact."""

    model_config = ConfigDict(frozen=True)

    contact_id: str
    journey: str | None


class TasksDoc(BaseModel):
    """The open tasks of a process by its steps."""

    model_config = ConfigDict(frozen=True)

    order: tuple[str, ...] = ()
    open: dict[str, OpenTask] = {}


def portal_key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def evolve_portal(doc: PortalDoc | None, envelope: Envelope) -> PortalDoc | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return doc
    return PortalDoc(id=event.portal_id, enabled=event.enabled, actions=event.actions)


def record_key(envelope: Envelope) -> str | None:
    return envelope.stream


def evolve_record(doc: RecordDoc | None, envelope: Envelope) -> RecordDoc | None:
    match envelope.event:
        case EntityCreated() as event:
            return RecordDoc(
                person=event.person,
                erased=isinstance(event.personal, Sealed),
                personal=known(event.personal) or {},
                attributes=event.attributes,
                relations=event.relations,
            )
        case EntityChanged() as event if doc is not None:
            return _changed(doc, event)
        case EntityRelated() as event if doc is not None:
            return doc.model_copy(update={"relations": {**doc.relations, event.relation: event.to}})
        case EntityDeleted():
            return None
        case _:
            return doc


def _changed(doc: RecordDoc, event: EntityChanged) -> RecordDoc:
    """With another person come all personal values anew."""
    same = event.person == doc.person
    gone = isinstance(event.personal, Sealed) or (doc.erased and same)
    before = doc.personal if same else {}
    return doc.model_copy(
        update={
            "person": event.person,
            "erased": gone,
            "personal": {} if gone else {**before, **(known(event.personal) or {})},
            "attributes": {**doc.attributes, **event.attributes},
        }
    )


TASK_EVENTS = (
    ProcessStarted,
    TaskAssigned,
    TaskDone,
    StepDone,
    StepSkipped,
    StepReopened,
    ProcessCompleted,
    ProcessCancelled,
)


def tasks_key(envelope: Envelope) -> str | None:
    event = envelope.event
    return event.instance_id if isinstance(event, TASK_EVENTS) else None


def evolve_tasks(doc: TasksDoc | None, envelope: Envelope) -> TasksDoc | None:
    doc = doc or TasksDoc()
    match envelope.event:
        case ProcessStarted() as event:
            return TasksDoc(order=tuple(step.id for step in event.steps))
        case TaskAssigned(assignee=ContactAssignee(contact_id=contact_id)) as event:
            return _with(doc, {**doc.open, event.step_id: OpenTask(contact_id=contact_id, journey=event.journey)})
        case TaskAssigned() | TaskDone() | StepDone() | StepSkipped() as event:
            return _with(doc, {step: task for step, task in doc.open.items() if step != event.step_id})
        case StepReopened() as event:
            later = doc.order[doc.order.index(event.step_id) :] if event.step_id in doc.order else doc.order
            return _with(doc, {step: task for step, task in doc.open.items() if step not in later})
        case _:
            return _with(doc, {})


def _with(doc: TasksDoc, tasks: dict[str, OpenTask]) -> TasksDoc:
    return doc.model_copy(update={"open": tasks})


PORTALS = View("portals", 1, PortalDoc, (PortalConfigured,), portal_key, evolve_portal)
RECORDS = View(
    "records",
    1,
    RecordDoc,
    (EntityCreated, EntityChanged, EntityRelated, EntityDeleted),
    record_key,
    evolve_record,
    indexes={"person": "(doc->>'person')"},
)
TASKS = View("tasks", 1, TasksDoc, TASK_EVENTS, tasks_key, evolve_tasks)
