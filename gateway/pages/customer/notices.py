"""`/notices`: what the visitor should know, and what it leads to."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

PAGE_SIZE = 20
MOST_READ_AT_ONCE = 50

pages = Pages("portal")


@pages.get("/notices")
async def notices(visit: Visit) -> Response:
    found = await visit.get("portal", "/notices", limit=PAGE_SIZE, cursor=visit.query.get("cursor"))
    return visit.show("customer/notices.html", page=found)


@pages.post("/notices/read")
async def read_all(visit: Visit) -> Response:
    """Marks what is unread as read, at most `MOST_READ_AT_ONCE` at a time."""
    unread = await visit.get("portal", "/notices", unread="true", limit=MOST_READ_AT_ONCE)
    await asyncio.gather(*(_read(visit, each["notice_id"]) for each in unread["items"]))
    return visit.go("/notices", said="notices.all_read")


@pages.post("/notices/{notice_id}/open")
async def open_notice(visit: Visit) -> Response:
    """Marks a notice as read and goes where it leads."""
    await _read(visit, visit.path["notice_id"])
    return visit.go(visit.form["to"] or "/notices")


async def _read(visit: Visit, notice_id: str) -> None:
    await visit.post("portal", f"/notices/{notice_id}/read")
