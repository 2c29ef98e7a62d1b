"""Submissions as portals show them: the outcome of each effect in words, the failed ones too; and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from chassis.texts import Texts
from contracts.common import Text
from contracts.journeys import Effect, RecordRef, TaskRef
from services.portal.definitions.views import Journey
from services.portal.requests.views import Outcome, RequestDoc, Submitted

EffectStatus = Literal["under_way", "done", "failed"]
FILE_EXAMPLE: dict[str, JsonValue] = {
    "file_id": "0f8c2f0e6c1d4b0f9a0e7c2b1a3d4e5f",
    "field": "proof",
    "media_type": "application/pdf",
    "size_bytes": 48213,
    "submission_id": "8e2d6c1f-7f2a-5b0e-9c1d-2a3b4c5d6e7f",
    "reference": "7K3F-9QXM",
    "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
    "record": {"entity": "contract", "id": "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11"},
    "submitted_at": "2026-11-10T09:30:00Z",
}


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ShownEffect(Answer):
    """A part of what a submission brings about."""

    kind: Literal["map", "cancel_contract", "start_process", "mail"]
    status: EffectStatus
    text: Text = Field(description="What happened, in words")
    code: str | None = Field(description="Why it failed; stable")
    record: RecordRef | None = Field(description="The record that was changed or made")
    instance_id: str | None = Field(description="The process that was started")
    ends_on: date | None = Field(description="When the contract ends")


class ShownFile(Answer):
    """A file of a submission. Its name and content are with journeys: `GET /files/{file_id}`."""

    model_config = ConfigDict(json_schema_extra={"example": FILE_EXAMPLE})

    file_id: str
    field: str
    media_type: str
    size_bytes: int
    submission_id: str
    reference: str
    title: Text = Field(description="The journey with which it was sent")
    record: RecordRef | None
    submitted_at: datetime


class ShownRequest(Answer):
    """Something that was submitted, and what became of it: failed as soon as a part of it has."""

    submission_id: str
    reference: str
    journey_id: str
    title: Text
    status: EffectStatus
    record: RecordRef | None = Field(description="Where it was begun")
    task: TaskRef | None
    submitted_at: datetime
    effects: list[ShownEffect]
    files: list[ShownFile]


class FailedRequest(ShownRequest):
    """A submission of which something failed, and whose it is."""

    portal_id: str
    contact_id: str | None = Field(description="Null for strangers, from public journeys")


class FailedPage(Answer):
    """Submissions of which something failed, the newest first."""

    items: list[FailedRequest]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class RequestPage(Answer):
    """Submissions, the newest first."""

    items: list[ShownRequest]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class DocumentPage(Answer):
    """Files, those of the newest submission first."""

    items: list[ShownFile]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def request_answer(
    request: RequestDoc, submitted: Submitted, journeys: Mapping[str, Journey], texts: Texts
) -> ShownRequest:
    outcomes = request.outcomes
    effects = [_effect(effect, outcomes.get(str(number)), texts) for number, effect in enumerate(submitted.effects)]
    return ShownRequest(
        submission_id=submitted.submission_id,
        reference=submitted.reference,
        journey_id=submitted.journey_id,
        title=_title(submitted.journey_id, journeys),
        status=_together(effects),
        record=submitted.context,
        task=submitted.task,
        submitted_at=submitted.submitted_at,
        effects=effects,
        files=files_answer([request], journeys),
    )


def failed_answer(
    request: RequestDoc, submitted: Submitted, journeys: Mapping[str, Journey], texts: Texts
) -> FailedRequest:
    shown = request_answer(request, submitted, journeys, texts)
    return FailedRequest(**dict(shown), portal_id=submitted.portal_id, contact_id=submitted.contact_id)


def files_answer(requests: Iterable[RequestDoc], journeys: Mapping[str, Journey]) -> list[ShownFile]:
    return [
        ShownFile(
            file_id=file.file_id,
            field=file.field,
            media_type=file.media_type,
            size_bytes=file.size_bytes,
            submission_id=submitted.submission_id,
            reference=submitted.reference,
            title=_title(submitted.journey_id, journeys),
            record=submitted.context,
            submitted_at=submitted.submitted_at,
        )
        for request in requests
        if (submitted := request.submitted)
        for file in request.files
    ]


def refusal_text(code: str, texts: Texts) -> Text:
    """Why something was not possible, in words; by its family or at least that it was not."""
    wanted = (f"refused_{code}", f"refused_{code.partition('_')[0]}", "refused_other")
    return _say(next(each for each in wanted if each in texts), {}, texts)


def _effect(effect: Effect, outcome: Outcome | None, texts: Texts) -> ShownEffect:
    status: EffectStatus = outcome.status if outcome else "under_way"
    return ShownEffect(
        kind=effect.kind,
        status=status,
        text=_words(effect.kind, status, outcome, texts),
        code=outcome.code if outcome else None,
        record=outcome.record if outcome else None,
        instance_id=outcome.instance_id if outcome else None,
        ends_on=outcome.ends_on if outcome else None,
    )


def _words(kind: str, status: EffectStatus, outcome: Outcome | None, texts: Texts) -> Text:
    facts: dict[str, Text | date | str] = {}
    if outcome and outcome.ends_on:
        facts["ends_on"] = outcome.ends_on
    if outcome and outcome.title:
        facts["title"] = outcome.title
    if outcome and outcome.code:
        facts["why"] = refusal_text(outcome.code, texts)
    return _say(f"effect_{kind}_{status}", facts, texts)


def _say(code: str, facts: Mapping[str, Text | date | str], texts: Texts) -> Text:
    """A sentence in both languages; facts that are texts are taken in the same language."""
    de = {name: fact.de if isinstance(fact, Text) else fact for name, fact in facts.items()}
    en = {name: fact.en if isinstance(fact, Text) else fact for name, fact in facts.items()}
    return Text(de=texts.say(code, "de", de) or code, en=texts.say(code, "en", en) or code)


def _together(effects: list[ShownEffect]) -> EffectStatus:
    every = {effect.status for effect in effects}
    return "failed" if "failed" in every else "under_way" if "under_way" in every else "done"


def _title(journey_id: str, journeys: Mapping[str, Journey]) -> Text:
    known = journeys.get(journey_id)
    return known.title if known else Text(de=journey_id, en=journey_id)
