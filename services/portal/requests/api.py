"""Submissions and their files over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from chassis.auth import Principal, allow
from chassis.database import Pool
from chassis.errors import NotFound
from chassis.http import conditional
from chassis.texts import Texts
from services.portal.configuration.views import Portals
from services.portal.definitions.views import DEFINITIONS, Definitions, Journey, definitions_for
from services.portal.reading import UNCHANGED, Wanted
from services.portal.requests.answers import (
    DocumentPage,
    FailedPage,
    RequestPage,
    ShownRequest,
    failed_answer,
    files_answer,
    request_answer,
)
from services.portal.requests.queries import Requests, failed_page, requests_page
from services.portal.requests.views import REQUESTS
from services.portal.visitor import Asked, Visit, visiting

SubmissionId = Annotated[str, Path(max_length=100)]
RecordId = Annotated[str | None, Query(max_length=100, description="Only those begun at this record")]


def router(
    pool: Pool,
    portals: Portals,
    requests: Requests,
    definitions: Definitions,
    *,
    texts: Texts,
    fresh: Callable[..., Any],
) -> APIRouter:
    """The routes; every read honours If-None-Match and Portico-Position."""
    api = APIRouter(tags=["requests"], responses=UNCHANGED, dependencies=[Depends(fresh(REQUESTS, DEFINITIONS))])

    async def entered(asked: Visit) -> Mapping[str, Journey]:
        """The journeys by which submissions are called. Raises Forbidden when the portal is switched off."""
        _, known = await asyncio.gather(visiting(portals, asked), definitions_for(definitions))
        return known.journeys

    @api.get("/requests", response_model=RequestPage, summary="What the contact has submitted, and what became of it")
    async def list_requests(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        record_id: RecordId = None,
    ) -> Response:
        journeys = await entered(asked)
        if asked.waits:
            return conditional(request, RequestPage(items=[], next=None))
        page = await requests_page(pool, asked.assigned(), record_id, wanted)
        items = [request_answer(each, each.submitted, journeys, texts) for each in page.items if each.submitted]
        return conditional(request, RequestPage(items=items, next=page.next))

    @api.get("/requests/{submission_id}", response_model=ShownRequest, summary="A submission, and what became of it")
    async def get_request(
        request: Request,
        asked: Asked,
        submission_id: SubmissionId,
    ) -> Response:
        journeys, found = await asyncio.gather(entered(asked), requests.get(submission_id))
        contact = None if asked.sees_all and asked.contact_id is None else asked.assigned()
        if found is None or found.submitted is None or contact not in {None, found.submitted.contact_id}:
            raise NotFound("request_not_found")
        return conditional(request, request_answer(found, found.submitted, journeys, texts))

    @api.get("/staff/failures", response_model=FailedPage, summary="Submissions of which something failed")
    async def list_failures(
        request: Request, wanted: Wanted, _: Annotated[Principal, Depends(allow("staff", "operator"))]
    ) -> Response:
        known, page = await asyncio.gather(definitions_for(definitions), failed_page(pool, wanted))
        items = [failed_answer(each, each.submitted, known.journeys, texts) for each in page.items if each.submitted]
        return conditional(request, FailedPage(items=items, next=page.next))

    @api.get("/documents", response_model=DocumentPage, summary="Files that the contact has sent")
    async def list_documents(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        record_id: RecordId = None,
    ) -> Response:
        """A page has the files of at most `limit` submissions."""
        journeys = await entered(asked)
        if asked.waits:
            return conditional(request, DocumentPage(items=[], next=None))
        page = await requests_page(pool, asked.assigned(), record_id, wanted, with_files=True)
        return conditional(request, DocumentPage(items=files_answer(page.items, journeys), next=page.next))

    return api
