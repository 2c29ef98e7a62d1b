"""Submissions and what their owners answered, effect by effect.

Outcomes come from other topics than the submission, also before it: each is kept in a field of its own. No answer to
a question and nothing else personal is kept here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.billing import CancellationRefused, CancellationRequested
from contracts.common import Text
from contracts.entities import MappingApplied, MappingRefused
from contracts.envelope import Envelope
from contracts.journeys import Effect, FileRef, FilesDeleted, JourneySubmitted, RecordRef, TaskRef
from contracts.notifications import MessageFailed, MessageSent
from contracts.processes import ProcessNotStarted, ProcessStarted

Answer = (
    MappingApplied
    | MappingRefused
    | ProcessStarted
    | ProcessNotStarted
    | CancellationRequested
    | CancellationRefused
    | MessageSent
    | MessageFailed
)
ANSWERS: tuple[type[Answer], ...] = get_args(Answer)


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Submitted(Document):
    """The submission itself."""

    submission_id: str
    reference: str
    journey_id: str
    portal_id: str
    contact_id: str | None
    context: RecordRef | None
    action: str | None
    task: TaskRef | None
    effects: tuple[Effect, ...]
    files: tuple[FileRef, ...]
    submitted_at: datetime


class Outcome(Document):
    """What became of an effect. A refusal has a code; what was done, the record, process or date that came of it."""

    status: Literal["done", "failed"]
    code: str | None = None
    attribute: str | None = None
    record: RecordRef | None = None
    instance_id: str | None = None
    title: Text | None = None
    ends_on: date | None = None


class RequestDoc(Document):
    """A submission, and outcomes of effects by their index. `has_files` and `has_failed` are derived for queries."""

    submitted: Submitted | None = None
    outcomes: dict[str, Outcome] = {}
    deleted_files: tuple[str, ...] = ()
    has_files: bool = False
    has_failed: bool = False

    @property
    def files(self) -> tuple[FileRef, ...]:
        """Those that are still there."""
        files = self.submitted.files if self.submitted else ()
        return tuple(file for file in files if file.file_id not in self.deleted_files)


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case JourneySubmitted() | FilesDeleted() as event:
            return event.submission_id
        case event if isinstance(event, ANSWERS) and event.effect is not None:
            return event.submission_id
        case _:
            return None


def evolve(before: RequestDoc | None, envelope: Envelope) -> RequestDoc | None:
    request = before or RequestDoc()
    match envelope.event:
        case JourneySubmitted() as event:
            request = request.model_copy(update={"submitted": _submitted(event, envelope)})
        case FilesDeleted() as event:
            gone = tuple(sorted({*request.deleted_files, *event.file_ids}))
            request = request.model_copy(update={"deleted_files": gone})
        case event if isinstance(event, ANSWERS):
            outcomes = {**request.outcomes, str(event.effect): _outcome(event)}
            request = request.model_copy(update={"outcomes": dict(sorted(outcomes.items()))})
        case _:
            return before
    failed = any(each.status == "failed" for each in request.outcomes.values())
    return request.model_copy(update={"has_files": bool(request.files), "has_failed": failed})


def _submitted(event: JourneySubmitted, envelope: Envelope) -> Submitted:
    return Submitted(
        submission_id=event.submission_id,
        reference=event.reference,
        journey_id=event.journey_id,
        portal_id=event.portal_id,
        contact_id=event.contact_id,
        context=event.context,
        action=event.action,
        task=event.task,
        effects=event.effects,
        files=event.files,
        submitted_at=envelope.time,
    )


def _outcome(event: Answer) -> Outcome:
    match event:
        case MessageSent():
            return Outcome(status="done")
        case MessageFailed():
            return Outcome(status="failed", code="mail_failed")
        case MappingApplied():
            return Outcome(status="done", record=RecordRef(entity=event.entity, id=event.id))
        case MappingRefused():
            return Outcome(status="failed", code=event.code, attribute=event.attribute)
        case ProcessStarted():
            return Outcome(status="done", instance_id=event.instance_id, title=event.title)
        case CancellationRequested():
            return Outcome(status="done", ends_on=event.ends_on)
        case ProcessNotStarted() | CancellationRefused():
            return Outcome(status="failed", code=event.code)


_SUBMITTED = "(doc->'submitted'->>'contact_id'), (doc->'submitted'->>'submitted_at'), key"

REQUESTS = View(
    name="requests",
    version=1,
    document=RequestDoc,
    events=(JourneySubmitted, FilesDeleted, *ANSWERS),
    key=key,
    evolve=evolve,
    indexes={"submitted": _SUBMITTED, "failed": "(doc->>'has_failed')"},
)
