"""What was submitted, as staff and the one who sent it see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from chassis.views import View, ViewReader
from contracts.base import Sealed, known
from contracts.common import Json, Language
from contracts.envelope import Envelope
from contracts.journeys import Effect, FileRef, FilesDeleted, JourneySubmitted, RecordRef, TaskRef
from services.journeys.personal import PersonalDoc

BLANK: dict[str, object] = {"answers": {}, "mapped": {}, "email": None}


class SubmissionDoc(PersonalDoc):
    """A submission. `erased`: answers and mapped values are gone for good with the key of their person."""

    submission_id: str
    reference: str
    journey_id: str
    journey_version: int
    portal_id: str
    language: Language
    submitted_at: datetime
    user_id: str | None
    contact_id: str | None
    context: RecordRef | None
    action: str | None
    task: TaskRef | None
    answers: dict[str, Json]
    mapped: dict[str, dict[str, Json]] = Field(description="Values of the `map` effects by their place in `effects`")
    email: str | None
    files: tuple[FileRef, ...]
    effects: tuple[Effect, ...] = Field(description="What it causes; portal shows what became of each")


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case JourneySubmitted(submission_id=id_) | FilesDeleted(submission_id=id_):
            return id_
        case _:
            return None


def evolve(doc: SubmissionDoc | None, envelope: Envelope) -> SubmissionDoc | None:
    match envelope.event:
        case JourneySubmitted() as event:
            told = event.model_dump(exclude={"answers", "mapped", "email", "files", "effects"})
            return SubmissionDoc(
                **told,
                erased=isinstance(event.answers, Sealed) or isinstance(event.mapped, Sealed),
                submitted_at=envelope.time,
                answers=known(event.answers) or {},
                mapped=known(event.mapped) or {},
                email=known(event.email),
                files=event.files,
                effects=event.effects,
            )
        case FilesDeleted(file_ids=gone) if doc is not None:
            return doc.model_copy(update={"files": tuple(file for file in doc.files if file.file_id not in gone)})
        case _:
            return doc


SUBMISSIONS = View(
    "submissions",
    1,
    SubmissionDoc,
    (JourneySubmitted, FilesDeleted),
    key,
    evolve,
    indexes={
        "newest": "(doc->>'submitted_at') DESC, key DESC",
        "person": "(doc->>'person')",
        "reference": "(doc->>'reference')",
        "contact": "(doc->>'contact_id'), (doc->>'submitted_at') DESC, key DESC",
        "journey": "(doc->>'journey_id'), (doc->>'submitted_at') DESC, key DESC",
    },
)

FILTERS = ("journey_id", "contact_id", "reference", "portal_id")


async def list_submissions(
    submissions: ViewReader[SubmissionDoc],
    filters: Sequence[tuple[str, str]],
    before: tuple[str, str] | None,
    limit: int,
) -> list[SubmissionDoc]:
    """Submissions, the newest first, behind the one of that time and id. Filters are names of `FILTERS` with values."""
    conditions = [f"doc->>'{name}' = %s" for name, _ in filters if name in FILTERS]
    parameters = [value for name, value in filters if name in FILTERS]
    if before:
        conditions.append("(doc->>'submitted_at', key) < (%s, %s)")
        parameters += before
    order = "(doc->>'submitted_at') DESC, key DESC"
    return await submissions.find(" AND ".join(conditions) or "true", parameters, order=order, limit=limit)
