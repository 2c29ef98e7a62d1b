"""Submissions over HTTP: begun, answered step by step, sent; and what was sent, for staff and for its sender."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import NAMESPACE_URL, uuid4, uuid5

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandMetadata, CommandRequest
from chassis.streams import Clock
from chassis.texts import language_of
from chassis.views import ViewReader
from contracts.common import Json, Language, Text
from contracts.journeys import RecordRef, TaskRef
from services.journeys.definitions.views import Library
from services.journeys.files.keeping import Keeper
from services.journeys.form.relevance import relevant
from services.journeys.form.summary import Answered, summary_of
from services.journeys.submissions.access import Access, Caller, may_open
from services.journeys.submissions.desk import Desk
from services.journeys.submissions.drafts import Draft
from services.journeys.submissions.shown import ShownSubmission, shown, shown_file
from services.journeys.submissions.views import SubmissionDoc, list_submissions

Sender = Annotated[Principal, Depends(allow("customer", "installer", "gateway", "staff", "operator"))]
Reader = Annotated[Principal, Depends(allow("customer", "installer", "staff", "operator"))]
User = Annotated[Principal, Depends(allow("customer", "installer"))]
Lister = Annotated[Principal, Depends(allow("staff", "operator"))]
SubmissionPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The submission's id")]
StepPath = Annotated[str, Path(max_length=63, description="The step, e.g. reason")]
Filter = Annotated[str | None, Query(min_length=1, max_length=100)]
Fresh = Callable[..., Awaitable[None]]
SECRET = "Portico-Draft"  # noqa: S105 the name of a header


class Wanted(BaseModel):
    """A ticket of the portal; or a public journey and the portal in which it is shown."""

    model_config = ConfigDict(extra="forbid")

    ticket: Annotated[str | None, Field(max_length=4096)] = None
    journey_id: Annotated[str | None, Field(max_length=63)] = None
    portal_id: Annotated[str | None, Field(max_length=63)] = None
    language: Language | None = Field(default=None, description="Of the receipt; null: that of Accept-Language")

    @model_validator(mode="after")
    def _is_one(self) -> Wanted:
        public = self.journey_id is not None and self.portal_id is not None
        if (self.ticket is not None) == public or (self.ticket and (self.journey_id or self.portal_id)):
            raise ValueError("either a ticket, or a journey_id and a portal_id")
        return self


class Begun(ShownSubmission):
    """The new submission."""

    draft_secret: str | None = Field(
        description=f"For whoever is not signed in, told at the beginning only: send it as `{SECRET}` from then on"
    )


class Answers(BaseModel):
    """The answers of a step by their fields; a field that is left out is not answered. Files answer by themselves."""

    model_config = ConfigDict(extra="forbid")

    answers: dict[str, Json]
    as_typed: bool = Field(
        default=False, description="Keep wrong and missing answers as well, for somebody who goes on later"
    )


class BegunDraft(BaseModel):
    """A submission that waits for its user to come back."""

    submission_id: str
    journey: str
    title: Text
    context: RecordRef | None
    task: TaskRef | None
    changed_at: datetime
    expires_at: datetime


class DraftList(BaseModel):
    """All of them: nobody has more than 50."""

    items: list[BegunDraft]


class SentAnswer(BaseModel):
    """It was sent."""

    submission_id: str
    reference: str


class Submission(SubmissionDoc):
    """What was submitted, also as people read it."""

    summary: list[Answered]
    file_names: dict[str, str] = Field(description="By the ids of the files")


class SubmissionPage(BaseModel):
    """Submissions, the newest first."""

    items: list[SubmissionDoc]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


async def caller(
    principal: Sender,
    portico_draft: Annotated[
        str | None, Header(max_length=100, description="The secret of a draft that was begun without signing in")
    ] = None,
) -> Caller:
    """The dependency that says who asks."""
    return Caller(principal, portico_draft)


Asking = Annotated[Caller, Depends(caller)]


@dataclass(frozen=True)
class Counter:
    """What the routes need."""

    desk: Desk
    access: Access
    keeper: Keeper
    library: Library
    submissions: ViewReader[SubmissionDoc]
    clock: Clock

    async def show(self, draft: Draft) -> ShownSubmission:
        known = await self.desk.rules.known(draft.context, draft.contact_id)
        document, checked, rows = await self.desk.check(draft, known)
        files = [shown_file(row, await self.keeper.name_of(row)) for row in rows]
        return shown(draft, document, checked, files, self.clock())

    async def show_begun(self, draft: Draft) -> BegunDraft:
        document = await self.library.version(draft.journey_id, draft.journey_version)
        return BegunDraft(
            submission_id=draft.id,
            journey=draft.journey_id,
            title=document.title,
            context=draft.context,
            task=draft.task,
            changed_at=draft.changed_at,
            expires_at=draft.expires_at,
        )

    async def find(self, submission_id: str, principal: Principal) -> SubmissionDoc:
        """Raises NotFound, also for what somebody else sent."""
        found = await self.submissions.get(submission_id)
        mine = found is not None and found.contact_id is not None and found.contact_id == principal.contact_id
        if found is None or not (mine or principal.is_staff):
            raise NotFound("submission_not_found")
        return found


def router(counter: Counter, fresh: Fresh, fresh_rules: Fresh) -> APIRouter:
    """`fresh` waits for the list of submissions, `fresh_rules` for what conditions and rules are asked of."""
    api = APIRouter(tags=["submissions"])
    _drafts(api, counter, fresh_rules)
    _submitted(api, counter, fresh)
    return api


def _drafts(api: APIRouter, counter: Counter, fresh: Fresh) -> None:
    desk, access = counter.desk, counter.access

    @api.post(
        "/submissions",
        status_code=201,
        summary="Begin a journey",
        dependencies=[Depends(fresh)],
        description="With an `Idempotency-Key` it is begun once: the same key answers the same submission, also with "
        "another ticket for the same.",
    )
    async def begin(
        request: Request, wanted: Annotated[Wanted, Body()], principal: Sender, command: CommandRequest
    ) -> Begun:
        id_ = (uuid5(NAMESPACE_URL, command.key.key) if command.key else uuid4()).hex
        language = wanted.language or _language(request)
        secret = None
        if wanted.ticket is not None:
            await desk.begin_with_ticket(id_, wanted.ticket, principal, language)
        else:
            journey, portal = wanted.journey_id or "", wanted.portal_id or ""
            secret = await desk.begin_public(id_, journey, portal, principal, language)
        begun = await counter.show(await access.open(id_, Caller(principal, secret)))
        return Begun(**begun.model_dump(by_alias=True), draft_secret=secret)

    @api.get("/drafts", summary="What the user has begun and not sent, the latest first")
    async def list_drafts(principal: User, response: Response) -> DraftList:
        response.headers["Cache-Control"] = "private, no-store"
        mine = Caller(principal, None)
        begun = [each for each in await desk.drafts.of(principal.subject, counter.clock()) if may_open(each, mine)]
        return DraftList(items=[await counter.show_begun(each) for each in begun])

    @api.get("/submissions/{submission_id}", summary="A submission under way", dependencies=[Depends(fresh)])
    async def show(submission_id: SubmissionPath, asking: Asking, response: Response) -> ShownSubmission:
        response.headers["Cache-Control"] = "private, no-store"
        return await counter.show(await access.open(submission_id, asking))

    @api.put(
        "/submissions/{submission_id}/steps/{step_id}",
        summary="Answer a step",
        dependencies=[Depends(fresh)],
        description="Checks the answers and keeps them. A mistake answers 422 with the code `invalid_answers` and "
        "`mistakes` by field; nothing is kept then. What is not asked, given the other answers, is dropped. With "
        "`as_typed` nothing is checked and the step is not done by it: what somebody has typed so far is kept, and the "
        "answer says which fields are asked because of it.",
    )
    async def answer_step(
        request: Request, submission_id: SubmissionPath, step_id: StepPath, asking: Asking, given: Answers
    ) -> ShownSubmission:
        draft = await access.open(submission_id, asking)
        await desk.answer(draft, step_id, given.answers, _language(request), as_typed=given.as_typed)
        return await counter.show(await access.open(submission_id, asking))

    @api.post(
        "/submissions/{submission_id}/submit",
        status_code=202,
        summary="Send a submission",
        dependencies=[Depends(fresh)],
        description="Everything is checked once more: the answers, the rules of the action, the task. Sending it again "
        "answers the same and does nothing.",
    )
    async def submit(
        request: Request, response: Response, submission_id: SubmissionPath, asking: Asking, metadata: CommandMetadata
    ) -> SentAnswer:
        draft = await access.open(submission_id, asking)
        sent = await desk.submit(draft, metadata, _language(request))
        response.headers["Portico-Position"] = str(sent.position)
        return SentAnswer(submission_id=submission_id, reference=sent.reference)


def _submitted(api: APIRouter, counter: Counter, fresh: Fresh) -> None:
    @api.get("/submissions", summary="What was submitted, the newest first", dependencies=[Depends(fresh)])
    async def list_all(
        _: Lister,
        *,
        journey_id: Filter = None,
        contact_id: Filter = None,
        reference: Filter = None,
        portal_id: Filter = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
    ) -> SubmissionPage:
        given = {
            "journey_id": journey_id,
            "contact_id": contact_id,
            "reference": reference,
            "portal_id": portal_id,
        }
        filters = [(name, value) for name, value in given.items() if value is not None]
        found = await list_submissions(counter.submissions, filters, _read_cursor(cursor), limit + 1)
        more = found[limit - 1] if len(found) > limit else None
        return SubmissionPage(items=found[:limit], next=_cursor(more) if more else None)

    @api.get(
        "/submissions/{submission_id}/content",
        summary="What was submitted, with labels; for staff and for the one who sent it",
        dependencies=[Depends(fresh)],
    )
    async def content(submission_id: SubmissionPath, principal: Reader, response: Response) -> Submission:
        found = await counter.find(submission_id, principal)
        document = await counter.library.version(found.journey_id, found.journey_version)
        names = {row.id: await counter.keeper.name_of(row) for row in await counter.keeper.of(submission_id)}
        asked = {} if found.erased else relevant(document, found.answers, {}, found.submitted_at).shown
        summary = list(summary_of(document, found.answers, asked, names, found.language))
        response.headers["Cache-Control"] = "private, no-store"
        return Submission(**found.model_dump(), summary=summary, file_names=names)


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language"))


def _cursor(doc: SubmissionDoc) -> str:
    return f"{doc.model_dump(mode='json')['submitted_at']}~{doc.submission_id}"


def _read_cursor(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    time, tilde, id_ = text.partition("~")
    if not tilde:
        raise Rejected("invalid_cursor")
    return time, id_
