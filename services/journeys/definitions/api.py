"""Journeys over HTTP: staff and operators read and write whole documents; gateways read how a journey is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.documents import InvalidDocument, read_document
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import ZONE, Texts, language_of
from chassis.views import ViewReader
from contracts.common import Json, Language, Text
from contracts.ids import stream
from contracts.journeys import Access, JourneyPublished
from services.journeys.definitions.decider import JOURNEY, Publish, Withdraw
from services.journeys.definitions.state import Journey
from services.journeys.definitions.views import JourneyDoc, Library, list_journeys
from services.journeys.form.checks import flaws_of
from services.journeys.form.document import JourneyDocument
from services.journeys.form.flaws import Flaw, tell
from services.journeys.form.schemas import published_schema, ui_of

Configurer = Annotated[Principal, Depends(allow("staff", "operator"))]
Anybody = Annotated[Principal, Depends(allow("customer", "installer", "gateway", "staff", "operator"))]
JourneyPath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="The journey, e.g. cancellation")]
EXAMPLE = {
    "journey": "call_me",
    "title": {"de": "Rückruf", "en": "Call me back"},
    "context": "contract",
    "steps": [{"id": "when", "fields": {"phone": {"type": "phone", "required": True}}}],
    "effects": [{"start_process": {"process": "call_back", "on": "context"}}],
}


class JourneyPage(BaseModel):
    """Journeys in the order of their ids, as documents; those withdrawn are left out."""

    items: list[dict[str, Json]]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class Version(BaseModel):
    """A version of a journey."""

    version: int
    published_at: datetime
    published_by: str | None


class ShownStep(BaseModel):
    """A step as a gateway shows it: JSON Schema 2020-12 of its answers, and what is needed to show its fields."""

    id: str
    title: Text
    text: Text | None
    when: list[dict[str, Json]] = Field(description="Conditions under which the step is asked")
    answers: dict[str, Any] = Field(alias="schema", description="JSON Schema 2020-12")
    ui: list[dict[str, Any]] = Field(description="Fields in their order: type, label, hint, options, when ...")


class Form(BaseModel):
    """A journey as it is shown."""

    journey: str
    version: int = Field(description="0: of a document that is not published")
    title: Text
    description: Text | None
    access: Access
    context: str | None
    submit: Text | None = Field(description="What the button that sends it is called, where the journey says it")
    confirmation: Text | None = Field(description="What is said when it was sent")
    steps: list[ShownStep]


def read_journey(journey_id: str, body: Any, texts: Texts, language: Language) -> JourneyDocument:
    """The document of a journey. Raises InvalidDocument that names every mistake."""
    document = read_document(JourneyDocument, body, language)
    flaws = flaws_of(document, body)
    if document.journey != journey_id:
        flaws.insert(0, Flaw(("journey",), "document_id_differs", {"name": journey_id}))
    if flaws:
        raise InvalidDocument(tell(flaws, texts, language))
    return document


def router(
    streams: Streams,
    journeys: ViewReader[JourneyDoc],
    library: Library,
    fresh: Callable[..., Awaitable[None]],
    texts: Texts,
) -> APIRouter:
    """`fresh` waits until the list shows the position that the caller names."""
    api = APIRouter(tags=["journeys"])
    read = partial(_read_document, streams)

    @api.get("/journeys", summary="All journeys", dependencies=[Depends(fresh)])
    async def get_journeys(
        _: Configurer,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        cursor: Annotated[str, Query(max_length=63, description="`next` of the page before")] = "",
    ) -> JourneyPage:
        found = await list_journeys(journeys, cursor, limit + 1)
        more = found[limit - 1].journey if len(found) > limit else None
        shown = [orjson.loads(each.definition) for each in found[:limit] if not each.withdrawn]
        return JourneyPage(items=shown, next=more)

    @api.get("/journeys/{journey_id}", summary="A journey as a document")
    async def get_journey(
        journey_id: JourneyPath,
        response: Response,
        _: Configurer,
        version: Annotated[int | None, Query(ge=1, description="One of its versions instead of the newest")] = None,
    ) -> dict[str, Json]:
        return await read(journey_id, version, response)

    @api.get("/journeys/{journey_id}/versions", summary="The versions of a journey, the newest first")
    async def get_versions(journey_id: JourneyPath, _: Configurer) -> list[Version]:
        history = await streams.history(stream(JOURNEY.kind, journey_id))
        published = [
            Version(version=each.event.journey_version, published_at=each.time, published_by=each.metadata.actor)
            for each in reversed(history)
            if isinstance(each.event, JourneyPublished)
        ]
        if not published:
            raise NotFound("journey_not_found")
        return published

    @api.get(
        "/journeys/{journey_id}/form",
        summary="A journey as it is shown: JSON Schema and fields of each step",
        dependencies=[Depends(fresh)],
    )
    async def get_form(journey_id: JourneyPath, _: Anybody) -> Form:
        document, version = await library.current(journey_id)
        return _form(document, version, streams.clock().astimezone(ZONE).date())

    @api.post(
        "/journeys/{journey_id}/form",
        summary="A document as it would be shown; nothing is published",
        description="Answers 422 with `mistakes` for a document that could not be published.",
    )
    async def preview_form(
        journey_id: JourneyPath,
        body: Annotated[Any, Body(description="The document", examples=[EXAMPLE])],
        _: Configurer,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> Form:
        document = read_journey(journey_id, body, texts, language_of(accept_language))
        return _form(document, 0, streams.clock().astimezone(ZONE).date())

    @api.put("/journeys/{journey_id}", summary="Publish a journey; what has begun goes on with its own version")
    async def put_journey(
        journey_id: JourneyPath,
        body: Annotated[Any, Body(description="The document", examples=[EXAMPLE])],
        request: CommandRequest,
        response: Response,
        _: Configurer,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> dict[str, Json]:
        document = read_journey(journey_id, body, texts, language_of(accept_language))
        command = Publish(journey_id, document.title, document.access, document.context, body)
        answer(response, await streams.execute(JOURNEY, journey_id, command, request))
        return await read(journey_id, None, response)

    @api.delete("/journeys/{journey_id}", status_code=204, summary="Withdraw a journey; what has begun can be ended")
    async def delete_journey(
        journey_id: JourneyPath, request: CommandRequest, response: Response, _: Configurer
    ) -> None:
        answer(response, await streams.execute(JOURNEY, journey_id, Withdraw(journey_id), request))

    return api


FORM = {"journey", "title", "description", "access", "context", "submit", "confirmation"}


def _form(document: JourneyDocument, version: int, today: date) -> Form:
    steps = [
        ShownStep(
            id=step.id,
            title=step.title or document.title,
            text=step.text,
            when=list(step.when),
            schema=published_schema(step, today),
            ui=ui_of(step),
        )
        for step in document.steps
    ]
    return Form(version=version, steps=steps, **document.model_dump(include=FORM))


async def _read_document(streams: Streams, journey_id: str, version: int | None, response: Response) -> dict[str, Json]:
    """The newest version, unless the journey is withdrawn; or any that is asked for. Raises NotFound."""
    if version is not None:
        for envelope in await streams.history(stream(JOURNEY.kind, journey_id)):
            if isinstance(envelope.event, JourneyPublished) and envelope.event.journey_version == version:
                return envelope.event.definition
        raise NotFound("journey_not_found")
    loaded = await streams.load(JOURNEY, journey_id)
    if not isinstance(loaded.state, Journey) or loaded.state.withdrawn:
        raise NotFound("journey_not_found")
    response.headers["ETag"] = f'"{loaded.version}"'
    return dict(loaded.state.definition)
