"""`/documents`: files that the visitor has sent; they are downloaded, never shown within the portal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx
from starlette.responses import Response, StreamingResponse

from gateway.pages.customer.requests import sent
from gateway.routing import Pages
from gateway.visit import Away, Visit

SUBMISSIONS = 10
"""A page has the files of so many submissions, since each of them is asked for the names of its files."""
NAMED = re.compile(r"attachment; filename\*=UTF-8''[A-Za-z0-9%._~!$&+^`|#-]+")

pages = Pages("portal")


@pages.get("/documents")
async def documents(visit: Visit) -> Response:
    found = await visit.get("portal", "/documents", limit=SUBMISSIONS, cursor=visit.query.get("cursor"))
    return visit.show("customer/documents.html", page=found, names=await names_of(visit, found["items"]))


@pages.get("/documents/{file_id}")
async def download(visit: Visit) -> Response:
    answer = await visit.send("GET", "journeys", f"/files/{visit.path['file_id']}", stream=True)
    named = answer.headers.get("content-disposition", "")
    headers = {
        "Content-Disposition": named if NAMED.fullmatch(named) else "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    media_type = answer.headers.get("content-type", "application/octet-stream")
    return StreamingResponse(_content(answer), headers=headers, media_type=media_type)


async def _content(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        await answer.aclose()


async def names_of(visit: Visit, files: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of files by their ids, as far as they can be known now."""
    submissions = sorted({file["submission_id"] for file in files})

    async def of(submission_id: str) -> dict[str, str]:
        try:
            found = await sent(visit, submission_id)
        except Away:
            found = None
        names: dict[str, str] = found["file_names"] if found else {}
        return names

    return {id_: name for names in await asyncio.gather(*map(of, submissions)) for id_, name in names.items()}
