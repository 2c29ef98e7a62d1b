"""Notices over HTTP, for staff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.views import ViewReader
from contracts.ids import stream_id
from services.notifications.cursors import read_cursor, write_cursor
from services.notifications.notices.views import NoticeDoc, newest

Staff = Annotated[Principal, Depends(allow("staff", "operator"))]


class NoticePage(BaseModel):
    """Some notices, the newest first."""

    items: list[NoticeDoc]
    next: str | None = Field(description="The `cursor` of the next page; null at the end")


def router(notices: ViewReader[NoticeDoc], fresh: Callable[..., Awaitable[None]]) -> APIRouter:
    """`fresh` waits until notices have the position that the caller names."""
    api = APIRouter(tags=["notices"])

    @api.get("/notices", dependencies=[Depends(fresh)])
    async def notices_of_staff(
        principal: Staff,
        group: Annotated[str | None, Query(max_length=40, description="Of this group, of all, and one's own")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> NoticePage:
        """What staff should read, the newest first; what is for one of them is shown to him alone."""
        found = await newest(notices, stream_id(principal.subject), group, read_cursor(cursor), limit + 1)
        page = found[:limit]
        more = write_cursor(_at(page[-1]), page[-1].id) if len(found) > limit else None
        return NoticePage(items=page, next=more)

    return api


def _at(notice: NoticeDoc) -> str:
    """As it stands in the view."""
    return str(notice.model_dump(mode="json", include={"posted_at"})["posted_at"])
