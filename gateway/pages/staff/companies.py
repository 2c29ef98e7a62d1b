"""`/companies`: firms, where there is a schema of them."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.staff.desk import names_of
from gateway.pages.staff.records import COMPANIES, add_pages, read, related
from gateway.routing import Pages
from gateway.visit import Visit

SHOWN = 10

pages = Pages("staff")
add_pages(pages, COMPANIES)


@pages.get("/companies/{record_id}")
async def company(visit: Visit) -> Response:
    shape, record = await read(visit, COMPANIES, visit.path["record_id"])
    history = await visit.get("entities", f"/records/{COMPANIES.entity}/{record['id']}/history", limit=SHOWN)
    return visit.show(
        "staff/company.html",
        kind=COMPANIES,
        shape=shape,
        record=record,
        others=await related(visit, shape, [record]),
        history=history,
        names=await names_of(visit, [entry["actor"] for entry in history["items"]]),
    )
