"""Notices over HTTP: a contact's, or those for staff."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.database import Pool
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer, conditional
from chassis.streams import Streams
from chassis.views import ViewReader
from contracts.common import Json, Text
from services.portal.configuration.views import Portals
from services.portal.notices.decider import NOTICE, Read
from services.portal.notices.views import NOTICES, Inbox, NoticeDoc, Posted, notices_page
from services.portal.reading import UNCHANGED, Wanted
from services.portal.visitor import Asked, Reader, Visit, visit, visiting

POSITION = {"Portico-Position": {"description": "Where the change stands", "schema": {"type": "string"}}}
Unread = Annotated[bool, Query(description="Only those that were not read")]
NoticeId = Annotated[str, Path(max_length=100)]


class Notice(BaseModel):
    """Something to read, and what it leads to."""

    model_config = ConfigDict(frozen=True)

    notice_id: str
    kind: str = Field(description="e.g. task_assigned, cancellation_confirmed")
    title: Text
    target: dict[str, Json] = Field(description="What it leads to, e.g. the record and the task")
    group: str | None = Field(description="For staff: the group that it is for; null: all")
    posted_at: datetime
    read_at: datetime | None


class NoticePage(BaseModel):
    """Notices, the newest first."""

    model_config = ConfigDict(frozen=True)

    items: list[Notice]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def router(
    pool: Pool, portals: Portals, streams: Streams, notices: ViewReader[NoticeDoc], fresh: Callable[..., Any]
) -> APIRouter:
    """The routes of notices. Staff who name no contact get those for staff."""
    api = APIRouter(tags=["notices"], dependencies=[Depends(fresh(NOTICES))])

    @api.get("/notices", response_model=NoticePage, responses=UNCHANGED, summary="Notices, the newest first")
    async def list_notices(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        unread: Unread = False,
    ) -> Response:
        visited = asked
        await visiting(portals, visited)
        if visited.waits:
            return conditional(request, NoticePage(items=[], next=None))
        page = await notices_page(pool, inbox_of(visited), unread, wanted)
        items = [_shown(each, each.posted, visited.reader) for each in page.items if each.posted]
        return conditional(request, NoticePage(items=items, next=page.next))

    @api.post(
        "/notices/{notice_id}/read",
        status_code=204,
        responses={204: {"headers": POSITION}},
        summary="Mark a notice as read",
    )
    async def read_notice(response: Response, principal: Reader, request: CommandRequest, notice_id: NoticeId) -> None:
        visited = visit(principal)
        await visiting(portals, visited)
        notice = await notices.get(notice_id)
        if notice is None or visited.waits or notice.to not in inbox_of(visited).to:
            raise NotFound("notice_not_found")
        answer(response, await streams.execute(NOTICE, notice_id, Read(notice_id, visited.reader), request))

    return api


def inbox_of(visited: Visit) -> Inbox:
    return Inbox.of(visited.contact_id, visited.reader)


def _shown(notice: NoticeDoc, posted: Posted, reader: str) -> Notice:
    return Notice(
        notice_id=notice.notice_id,
        kind=posted.kind,
        title=posted.title,
        target=posted.target,
        group=posted.group,
        posted_at=posted.posted_at,
        read_at=notice.read_by.get(reader),
    )
