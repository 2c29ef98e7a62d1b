"""Definitions over HTTP: staff and operators read and write whole documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import Texts, language_of
from chassis.views import ViewReader
from contracts.common import Json, Text
from contracts.envelope import Envelope
from contracts.ids import stream
from contracts.processes import ProcessDefined, StepPlan
from services.processes.definitions.decider import DEFINITION, Define
from services.processes.definitions.state import Definition
from services.processes.definitions.views import DefinitionDoc, list_definitions
from services.processes.document import PROCESS_ID, read_process

Configurer = Annotated[Principal, Depends(allow("staff", "operator"))]
ProcessPath = Annotated[str, Path(pattern=PROCESS_ID, description="The process, e.g. cancellation")]
EXAMPLE = {
    "process": "cancellation",
    "on": "contract",
    "steps": [{"id": "check", "title": {"de": "Prüfung", "en": "Check"}, "assign": {"group": "customer_service"}}],
}


class DefinitionPage(BaseModel):
    """Processes in the order of their ids, as documents."""

    items: list[dict[str, Json]]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class Version(BaseModel):
    """A version of a process."""

    version: int
    published_at: datetime
    published_by: str | None


class Plan(BaseModel):
    """A process as it runs: its steps, who does them, and what each audience is told."""

    process: str
    title: Text
    on: str
    steps: list[StepPlan]


def router(
    streams: Streams, definitions: ViewReader[DefinitionDoc], fresh: Callable[..., Awaitable[None]], texts: Texts
) -> APIRouter:
    """`fresh` waits until the list shows the position that the caller names."""
    api = APIRouter(tags=["definitions"])

    @api.get("/definitions", summary="All processes", dependencies=[Depends(fresh)])
    async def get_definitions(
        _: Configurer,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        cursor: Annotated[str, Query(max_length=63, description="`next` of the page before")] = "",
    ) -> DefinitionPage:
        found = await list_definitions(definitions, cursor, limit + 1)
        more = found[limit - 1].process_id if len(found) > limit else None
        return DefinitionPage(items=[each.definition for each in found[:limit]], next=more)

    @api.get("/definitions/{process_id}", summary="A process as a document")
    async def get_definition(
        process_id: ProcessPath,
        response: Response,
        _: Configurer,
        version: Annotated[int | None, Query(ge=1, description="One of its versions instead of the newest")] = None,
    ) -> dict[str, Json]:
        if version is None:
            return await _read(streams, process_id, response)
        found = [each for each, _ in await _published(streams, process_id) if each.process_version == version]
        if not found:
            raise NotFound("process_not_found")
        return found[0].definition

    @api.get("/definitions/{process_id}/versions", summary="The versions of a process, the newest first")
    async def get_versions(process_id: ProcessPath, _: Configurer) -> list[Version]:
        return [
            Version(version=event.process_version, published_at=envelope.time, published_by=envelope.metadata.actor)
            for event, envelope in reversed(await _published(streams, process_id))
        ]

    @api.put("/definitions/{process_id}", summary="Define a process; what runs goes on with its own version")
    async def put_definition(
        process_id: ProcessPath,
        body: Annotated[dict[str, Any], Body(description="The document", examples=[EXAMPLE])],
        request: CommandRequest,
        response: Response,
        _: Configurer,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> dict[str, Json]:
        document = read_process(process_id, body, texts, language_of(accept_language))
        answer(response, await streams.execute(DEFINITION, process_id, Define(document), request))
        return await _read(streams, process_id, response)

    _previews(api, texts)
    return api


def _previews(api: APIRouter, texts: Texts) -> None:
    @api.post(
        "/definitions/{process_id}/plan",
        summary="A document as it would run; nothing is defined",
        description="Answers 422 with `mistakes` for a document that could not be defined.",
    )
    async def preview_plan(
        process_id: ProcessPath,
        body: Annotated[dict[str, Any], Body(description="The document", examples=[EXAMPLE])],
        _: Configurer,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> Plan:
        document = read_process(process_id, body, texts, language_of(accept_language))
        return Plan(process=process_id, title=document.text, on=document.on, steps=list(document.plans()))


async def _published(streams: Streams, process_id: str) -> list[tuple[ProcessDefined, Envelope]]:
    """Every version, the oldest first. Raises NotFound."""
    history = await streams.history(stream(DEFINITION.kind, process_id))
    found = [(each.event, each) for each in history if isinstance(each.event, ProcessDefined)]
    if not found:
        raise NotFound("process_not_found")
    return found


async def _read(streams: Streams, process_id: str, response: Response) -> dict[str, Json]:
    """The newest version. Raises NotFound."""
    loaded = await streams.load(DEFINITION, process_id)
    if not isinstance(loaded.state, Definition):
        raise NotFound("process_not_found")
    response.headers["ETag"] = f'"{loaded.version}"'
    return dict(loaded.state.document)
