"""Portals over HTTP: staff and operators read and write whole documents, guarded by the version they have seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Loaded, Outcome, Streams
from chassis.views import ViewReader
from contracts.portal import PortalConfigured
from services.portal.configuration.decider import PORTAL, Configure, SetInstalments
from services.portal.configuration.document import PORTAL_ID, InstalmentsDocument, PortalDocument
from services.portal.configuration.state import Portal, PortalState
from services.portal.configuration.views import PORTALS, list_portals

Fresh = Callable[..., Callable[..., Awaitable[None]]]
Configurer = Annotated[Principal, Depends(allow("operator", "staff"))]
PortalPath = Annotated[str, Path(pattern=PORTAL_ID, description="The portal's id, e.g. customers")]
ETAG = {"ETag": {"description": "The portal's version; send it as If-Match", "schema": {"type": "string"}}}
POSITION = {"Portico-Position": {"description": "Where the change stands", "schema": {"type": "string"}}}
CHANGED: dict[int | str, dict[str, Any]] = {200: {"headers": ETAG | POSITION}}


class PortalPage(BaseModel):
    """Portals in the order of their ids."""

    items: list[PortalDocument]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def router(streams: Streams, portals: ViewReader[PortalConfigured], fresh: Fresh) -> APIRouter:
    """The routes of portals and their instalment rules."""
    api = APIRouter(tags=["portals"], dependencies=[Depends(allow("operator", "staff"))])

    @api.get(
        "/portals", summary="All portals", dependencies=[Depends(fresh(PORTALS))], response_model_exclude_unset=True
    )
    async def get_portals(
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
    ) -> PortalPage:
        found = await list_portals(portals, cursor, limit + 1)
        more = found[limit - 1].portal_id if len(found) > limit else None
        return PortalPage(items=[PortalDocument.of(portal) for portal in found[:limit]], next=more)

    @api.get(
        "/portals/{portal_id}",
        summary="A portal as a document",
        responses={200: {"headers": ETAG}},
        response_model_exclude_unset=True,
    )
    async def get_portal(response: Response, portal_id: PortalPath) -> PortalDocument:
        loaded = await streams.load(PORTAL, portal_id)
        response.headers["ETag"] = f'"{loaded.version}"'
        return _document(loaded)

    @api.put(
        "/portals/{portal_id}",
        summary="Configure a portal as a whole",
        responses=CHANGED,
        response_model_exclude_unset=True,
    )
    async def put_portal(
        response: Response, request: CommandRequest, portal_id: PortalPath, document: PortalDocument
    ) -> PortalDocument:
        if document.portal != portal_id:
            raise Rejected("invalid_portal_id", portal_id=portal_id, document_portal_id=document.portal)
        outcome = await streams.execute(PORTAL, portal_id, Configure(document.event()), request)
        return await _answered(response, portal_id, outcome)

    @api.put(
        "/portals/{portal_id}/instalments",
        summary="Set the rules for instalments",
        responses=CHANGED,
        response_model_exclude_unset=True,
    )
    async def put_instalments(
        response: Response, request: CommandRequest, portal_id: PortalPath, document: InstalmentsDocument
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


def _document(loaded: Loaded[PortalState]) -> PortalDocument:
    if not isinstance(loaded.state, Portal):
        raise NotFound("portal_not_found")
    return PortalDocument.of(loaded.state.configuration)
