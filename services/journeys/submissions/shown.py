"""A submission under way as a gateway shows it: its steps, the answers so far, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Json, Language, Text
from contracts.journeys import RecordRef, TaskRef
from services.journeys.files.table import FileRow
from services.journeys.form.answers import Checked
from services.journeys.form.document import JourneyDocument, Step
from services.journeys.form.fields import FilesField
from services.journeys.form.schemas import published_schema, ui_of
from services.journeys.form.summary import Answered, summary_of
from services.journeys.submissions.drafts import Draft


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ShownFile(_Shown):
    """A file that was sent."""

    file_id: str
    upload_id: str = Field(description="The id that the client gave it")
    field: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class ShownStep(_Shown):
    """A step: JSON Schema 2020-12 of its answers, what is needed to show its fields, and the answers so far."""

    id: str
    title: Text
    text: Text | None
    asked: bool = Field(description="False: the answers so far make it irrelevant; it is passed over")
    done: bool = Field(description="It was answered, and its answers are right")
    answers_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema 2020-12 of `answers`")
    ui: list[dict[str, Any]] = Field(description="Fields in their order: type, label, hint, options, when ...")
    fields: list[str] = Field(description="The fields that are asked, given the answers so far")
    answers: dict[str, Json] = Field(description="Also those of fields that are not asked at the moment")
    files: list[ShownFile]


class ShownSubmission(_Shown):
    """A submission under way, or one that was just sent."""

    submission_id: str
    state: Literal["open", "submitted"]
    reference: str | None = Field(description="What people call it; null until it is sent")
    journey: str
    version: int
    title: Text
    description: Text | None
    submit: Text | None = Field(description="What the button that sends it is called, where the journey says it")
    confirmation: Text | None = Field(description="What is said when it was sent")
    language: Language
    portal_id: str
    context: RecordRef | None
    action: str | None
    task: TaskRef | None
    expires_at: datetime
    steps: list[ShownStep]
    next: str | None = Field(description="The first step that is asked and not done; null: check your answers")
    ready: bool = Field(description="Everything that is required was answered")
    summary: list[Answered] = Field(
        description="The answers that count and are right, as people read them, and what was left open on purpose"
    )


def shown(
    draft: Draft, document: JourneyDocument, checked: Checked, files: list[ShownFile], now: datetime
) -> ShownSubmission:
    """`files` are those of the draft, with their names."""
    steps = [_step(document, step, draft=draft, checked=checked, files=files, now=now) for step in document.steps]
    open_ = draft.submitted_at is None
    names = {file.file_id: file.name for file in files}
    gone_through = {step.id: step.fields for step in steps if step.done}
    return ShownSubmission(
        submission_id=draft.id,
        state="open" if open_ else "submitted",
        reference=None if open_ else draft.reference,
        journey=draft.journey_id,
        version=draft.journey_version,
        title=document.title,
        description=document.description,
        submit=document.submit,
        confirmation=document.confirmation,
        language=draft.language,
        portal_id=draft.portal_id,
        context=draft.context,
        action=draft.action,
        task=draft.task,
        expires_at=draft.expires_at,
        steps=steps if open_ else [],
        next=next((step.id for step in steps if step.asked and not step.done), None) if open_ else None,
        ready=open_ and not checked.flaws,
        summary=list(summary_of(document, checked.right, gone_through, names, draft.language)) if open_ else [],
    )


def shown_file(row: FileRow, name: str) -> ShownFile:
    return ShownFile(
        file_id=row.id,
        upload_id=row.upload_id,
        field=row.field,
        name=name,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
    )


def _step(
    document: JourneyDocument, step: Step, *, draft: Draft, checked: Checked, files: list[ShownFile], now: datetime
) -> ShownStep:
    asked = step.id in checked.shown
    questions: Mapping[str, Any] = step.questions()
    given = {name: draft.answers[name] for name in questions if name in draft.answers}
    mine = [file for file in files if isinstance(questions.get(file.field), FilesField)]
    for file in mine:
        ids = given.setdefault(file.field, [])
        if isinstance(ids, list):
            ids.append(file.file_id)
    return ShownStep(
        id=step.id,
        title=step.title or document.title,
        text=step.text,
        asked=asked,
        done=asked and step.id in draft.done and step.id not in checked.steps,
        schema=published_schema(step, now.date()),
        ui=ui_of(step),
        fields=list(checked.shown.get(step.id, ())),
        answers=given,
        files=mine,
    )
