"""`/users/export`: the table as a file, as much of it as the filters let through."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from starlette.responses import Response, StreamingResponse

from gateway.pages.staff.users.table import filters_of
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")


@pages.get("/users/export")
async def export(visit: Visit) -> Response:
    """Passed on as it comes, however many they are."""
    asked = {**filters_of(visit.query), "columns": visit.query.get("columns", "")[:500]}
    headers = {"Accept": "text/csv"}
    answer = await visit.send("GET", "identity", "/users", headers, params=asked, stream=True)
    return StreamingResponse(
        _content(answer),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="users.csv"', "Cache-Control": "no-store"},
    )


async def _content(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        await answer.aclose()
