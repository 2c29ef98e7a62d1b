"""Portals over HTTP: staff and operators read and write whole documents, guarded by the version they have seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.documents import read_document
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer, conditional
from chassis.streams import Loaded, Outcome, Streams
from chassis.texts import Texts, language_of
from contracts.common import Language
from contracts.portal import PortalConfigured
from services.portal.configuration.appearance import Appearance
from services.portal.configuration.checks import checked, warnings_of
from services.portal.configuration.decider import PORTAL, Configure, SetInstalments
from services.portal.configuration.document import PORTAL_ID, PortalDocument
from services.portal.configuration.instalments import InstalmentsDocument
from services.portal.configuration.state import Portal, PortalState
from services.portal.configuration.views import PORTALS, Portals, list_portals
from services.portal.definitions.views import DEFINITIONS, Definitions, definitions_for, find_definitions

Fresh = Callable[..., Callable[..., Awaitable[None]]]
Configurer = Annotated[Principal, Depends(allow("operator", "staff"))]
Anybody = Annotated[Principal, Depends(allow("gateway", "customer", "installer", "operator", "staff"))]
PortalPath = Annotated[str, Path(pattern=PORTAL_ID, description="The portal's id, e.g. customers")]
ETAG = {"ETag": {"description": "The portal's version; send it as If-Match", "schema": {"type": "string"}}}
POSITION = {"Portico-Position": {"description": "Where the change stands", "schema": {"type": "string"}}}
MOST_PORTALS = 200
CHANGED: dict[int | str, dict[str, Any]] = {200: {"headers": ETAG | POSITION}}
DOCUMENT = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PortalDocument"}}},
    }
}


class PortalPage(BaseModel):
    """Portals in the order of their ids."""

    items: list[PortalDocument]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class AppearancePage(BaseModel):
    """How every portal presents itself, in the order of their ids."""

    items: list[Appearance]


class Warned(BaseModel):
    """What was taken but should be looked at, e.g. a journey that is not published yet."""

    path: str = Field(description="Where in the document, e.g. actions.0.journey")
    detail: str


class Configured(PortalDocument):
    """The document as it was taken."""

    warnings: list[Warned]


def router(streams: Streams, portals: Portals, definitions: Definitions, texts: Texts, fresh: Fresh) -> APIRouter:
    """The routes of portals, their instalment rules and their appearance."""
    api = APIRouter(tags=["portals"])
    _appearances(api, streams, portals, definitions, fresh)

    @api.get(
        "/portals", summary="All portals", dependencies=[Depends(fresh(PORTALS))], response_model_exclude_unset=True
    )
    async def get_portals(
        _: Configurer,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
    ) -> PortalPage:
        found = await list_portals(portals, cursor, limit + 1)
        loaded = await asyncio.gather(*(streams.load(PORTAL, portal_id) for portal_id in found[:limit]))
        return PortalPage(items=[*map(_document, loaded)], next=found[limit - 1] if len(found) > limit else None)

    @api.get(
        "/portals/{portal_id}",
        summary="A portal as a document",
        responses={200: {"headers": ETAG}},
        response_model_exclude_unset=True,
    )
    async def get_portal(_: Configurer, response: Response, portal_id: PortalPath) -> PortalDocument:
        loaded = await streams.load(PORTAL, portal_id)
        response.headers["ETag"] = f'"{loaded.version}"'
        return _document(loaded)

    @api.put(
        "/portals/{portal_id}",
        summary="Configure a portal as a whole",
        responses=CHANGED,
        response_model_exclude_unset=True,
        openapi_extra=DOCUMENT,
    )
    async def put_portal(
        _: Configurer,
        request: Request,
        response: Response,
        command: CommandRequest,
        portal_id: PortalPath,
        body: Annotated[Any, Body()],
    ) -> Configured:
        language = language_of(request.headers.get("accept-language"))
        document = read_document(PortalDocument, body, language)
        if document.portal != portal_id:
            raise Rejected("invalid_portal_id", portal_id=portal_id, document_portal_id=document.portal)
        known, say = await find_definitions(definitions), partial(_said, texts, language)
        document = checked(document, known.shapes, say)
        outcome = await streams.execute(PORTAL, portal_id, Configure(document.event()), command)
        configured = await _answered(response, portal_id, outcome)
        mistakes = warnings_of(document, known.shapes, known.journeys, say)
        warnings = [Warned(path=each.path, detail=each.detail) for each in mistakes]
        return Configured.model_construct(**dict(configured), warnings=warnings)

    @api.put(
        "/portals/{portal_id}/instalments",
        summary="Set the rules for instalments",
        responses=CHANGED,
        response_model_exclude_unset=True,
    )
    async def put_instalments(
        _: Configurer,
        response: Response,
        request: CommandRequest,
        portal_id: PortalPath,
        document: InstalmentsDocument,
    ) -> PortalDocument:
        outcome = await streams.execute(PORTAL, portal_id, SetInstalments(document.settings()), request)
        return await _answered(response, portal_id, outcome)

    async def _answered(response: Response, portal_id: str, outcome: Outcome) -> PortalDocument:
        answer(response, outcome)
        for event in outcome.events:
            if isinstance(event, PortalConfigured):
                return PortalDocument.of(event)
        return _document(await streams.load(PORTAL, portal_id))

    return api


def _appearances(api: APIRouter, streams: Streams, portals: Portals, definitions: Definitions, fresh: Fresh) -> None:
    @api.get(
        "/portals/{portal_id}/appearance",
        response_model=Appearance,
        summary="What everybody may know of a portal: name, colours, logo, texts, links",
        dependencies=[Depends(fresh(DEFINITIONS))],
    )
    async def get_appearance(_: Anybody, request: Request, portal_id: PortalPath) -> Response:
        loaded, known = await asyncio.gather(streams.load(PORTAL, portal_id), definitions_for(definitions))
        return conditional(request, Appearance.of(_configured(loaded), known.journeys))

    @api.get(
        "/appearances",
        response_model=AppearancePage,
        summary="The appearance of every portal, for a gateway that serves them all",
        dependencies=[Depends(fresh(PORTALS, DEFINITIONS))],
    )
    async def get_appearances(_: Annotated[Principal, Depends(allow("gateway"))], request: Request) -> Response:
        found, known = await asyncio.gather(list_portals(portals, "", MOST_PORTALS), definitions_for(definitions))
        loaded = await asyncio.gather(*(streams.load(PORTAL, portal_id) for portal_id in found))
        items = [Appearance.of(_configured(each), known.journeys) for each in loaded]
        return conditional(request, AppearancePage(items=items))


def _document(loaded: Loaded[PortalState]) -> PortalDocument:
    return PortalDocument.of(_configured(loaded))


def _configured(loaded: Loaded[PortalState]) -> PortalConfigured:
    if not isinstance(loaded.state, Portal):
        raise NotFound("portal_not_found")
    return loaded.state.configuration


def _said(texts: Texts, language: Language, code: str, **facts: object) -> str:
    return texts.say(code, language, facts) or code
