"""`/submissions/{id}`: what somebody has sent, what became of it, and its files."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.customer.documents import download
from gateway.pages.staff.desk import found
from gateway.pages.staff.records import find_shape, records_by_id
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")


@pages.get("/submissions/{submission_id}")
async def submission(visit: Visit) -> Response:
    id_ = quote(visit.path["submission_id"], safe="")
    content, request, shape = await asyncio.gather(
        visit.get("journeys", f"/submissions/{id_}/content"),
        found(visit, "portal", f"/requests/{id_}"),
        find_shape(visit, "contact"),
    )
    contacts = await records_by_id(visit, shape, [content.get("contact_id")])
    return visit.show("staff/submission.html", content=content, request=request, contacts=contacts)


pages.get("/submissions/{submission_id}/files/{file_id}")(download)
