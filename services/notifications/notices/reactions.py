"""Other services' events in: what somebody should read becomes a notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from chassis.decider import Do
from chassis.reactions import Reaction
from chassis.texts import Texts
from contracts.billing import CancellationConfirmed
from contracts.common import Text
from contracts.envelope import Envelope
from contracts.ids import record_id
from contracts.notifications import NoticePosted
from contracts.processes import ContactAssignee, GroupAssignee, StaffAssignee, StepOverdue, TaskAssigned, TaskDone
from services.notifications.notices.decider import NOTICE, Post


@dataclass(frozen=True, slots=True)
class _Reader:
    """A contact, or staff: one of them, a group, or all."""

    portal_id: str | None
    contact_id: str | None = None
    group: str | None = None
    staff_id: str | None = None


def reaction(texts: Texts) -> Reaction:
    """Notices with the sentences of these texts."""

    def said(code: str, **facts: Text | object) -> Text:
        sentences = {
            language: texts.say(code, language, {name: _in(fact, language) for name, fact in facts.items()}) or code
            for language in ("de", "en")
        }
        return Text(**sentences)

    def react(envelope: Envelope) -> Iterator[Do[Any, Any]]:
        match envelope.event:
            case TaskAssigned() as event:
                title = said("notice_task_assigned", title=event.title)
                yield _of_task(envelope, "task_assigned", title, event)
            case StepOverdue() as event:
                title = said("notice_task_overdue", title=event.title)
                yield _of_task(envelope, "task_overdue", title, event)
            case TaskDone() as event:
                title = said("notice_task_done", title=event.title)
                reader = _Reader(event.portal_id, group=event.group)
                yield _posted(envelope, "task_done", title, reader, _task(event))
            case CancellationConfirmed() as event if event.contact_id:
                title = said("notice_cancellation_confirmed", number=event.contract_number, ends_on=event.ends_on)
                target = {"record": {"entity": "contract", "id": event.contract_id}}
                reader = _Reader(event.portal_id, contact_id=event.contact_id)
                yield _posted(envelope, "cancellation_confirmed", title, reader, target)

    return Reaction("notices", (TaskAssigned, TaskDone, StepOverdue, CancellationConfirmed), react)


def _of_task(envelope: Envelope, kind: str, title: Text, event: TaskAssigned | StepOverdue) -> Do[Any, Any]:
    """To whoever is to do it; a reminder of what is nobody's task to the group that is responsible."""
    match event.assignee:
        case ContactAssignee(contact_id=contact_id):
            reader = _Reader(event.portal_id, contact_id=contact_id)
        case StaffAssignee(staff_id=staff_id):
            reader = _Reader(event.portal_id, staff_id=staff_id)
        case GroupAssignee(group=group):
            reader = _Reader(event.portal_id, group=group)
        case None:
            reader = _Reader(event.portal_id, group=event.group if isinstance(event, StepOverdue) else None)
    return _posted(envelope, kind, title, reader, _task(event))


def _task(event: TaskAssigned | TaskDone | StepOverdue) -> dict[str, Any]:
    return {
        "record": event.record.model_dump(),
        "task": {"instance_id": event.instance_id, "step_id": event.step_id},
    }


def _posted(envelope: Envelope, kind: str, title: Text, reader: _Reader, target: dict[str, Any]) -> Do[Any, Any]:
    cause = str(envelope.position)
    id_ = record_id("notice", f"{cause}/{kind}")
    facts = {"cause": cause, "kind": kind, "title": title, "target": target, **asdict(reader)}
    return Do(NOTICE, id_, Post(NoticePosted(notice_id=id_, **facts)))


def _in(fact: object, language: str) -> object:
    return getattr(fact, language) if isinstance(fact, Text) else fact
