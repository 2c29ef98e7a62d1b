"""`/submissions/{id}`: what somebody has sent, what became of it, and its files."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.customer.documents import download
from gateway.pages.staff.desk import found
from gateway.pages.staff.records import CONTACTS, CONTRACTS, find_shape, records_by_id
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")


@pages.get("/submissions/{submission_id}")
async def submission(visit: Visit) -> Response:
    id_ = quote(visit.path["submission_id"], safe="")
    content, request, contact, contract = await asyncio.gather(
        visit.get("journeys", f"/submissions/{id_}/content"),
        found(visit, "portal", f"/requests/{id_}"),
        find_shape(visit, CONTACTS.entity),
        find_shape(visit, CONTRACTS.entity),
    )
    context = content.get("context") or {}
    contract_id = context["id"] if context.get("entity") == CONTRACTS.entity else None
    contacts, contracts = await asyncio.gather(
        records_by_id(visit, contact, [content.get("contact_id")]), records_by_id(visit, contract, [contract_id])
    )
    overview = {"href": "/", "called": visit.say("overview.title")}
    back = next(iter([*contracts.values(), *contacts.values()]), overview)
    return visit.show(
        "staff/submission.html", content=content, request=request, contacts=contacts, contracts=contracts, back=back
    )


pages.get("/submissions/{submission_id}/files/{file_id}")(download)
