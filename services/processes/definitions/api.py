"""Definitions over HTTP: staff and operators read and write whole documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import Texts, language_of
from chassis.views import ViewReader
from contracts.common import Json
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
    async def get_definition(process_id: ProcessPath, response: Response, _: Configurer) -> dict[str, Json]:
        return await _document(process_id, response)

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
        return await _document(process_id, response)

    async def _document(process_id: str, response: Response) -> dict[str, Json]:
        loaded = await streams.load(DEFINITION, process_id)
        if not isinstance(loaded.state, Definition):
            raise NotFound("process_not_found")
        response.headers["ETag"] = f'"{loaded.version}"'
        return dict(loaded.state.document)

    return api
