"""`/failures`: what customers have sent and of which a part could not be done."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from gateway.pages.staff.desk import pages_around
from gateway.pages.staff.records import find_shape, records_by_id
from gateway.routing import Pages
from gateway.visit import Visit

PAGE = 50

pages = Pages("staff")


@pages.get("/failures")
async def failures(visit: Visit) -> Response:
    page, contact, contract = await asyncio.gather(
        visit.get("portal", "/staff/failures", cursor=visit.query.get("cursor", ""), limit=PAGE),
        find_shape(visit, "contact"),
        find_shape(visit, "contract"),
    )
    records = [each["record"] for each in page["items"] if each["record"]]
    contacts, contracts = await asyncio.gather(
        records_by_id(visit, contact, [each["contact_id"] for each in page["items"]]),
        records_by_id(visit, contract, [each["id"] for each in records if each["entity"] == "contract"]),
    )
    around = pages_around(visit, page["next"], "cursor")
    return visit.show("staff/failures.html", items=page["items"], records=contacts | contracts, around=around)
