"""`/companies`: firms, and the contacts who belong to them."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.staff import relations
from gateway.pages.staff.desk import names_of
from gateway.pages.staff.records import COMPANIES, CONTACTS, add_pages, find_shape, read, related, with_values
from gateway.routing import Pages
from gateway.visit import Visit

SHOWN = 10
MOST_CONTACTS = 100
COMPANY = "company"

pages = Pages("staff")
add_pages(pages, COMPANIES)
relations.add_pages(pages, COMPANIES)


@pages.get("/companies/{record_id}")
async def company(visit: Visit) -> Response:
    shape, record = await read(visit, COMPANIES, visit.path["record_id"])
    id_ = record["id"]
    contact_shape = await find_shape(visit, CONTACTS.entity)
    is_theirs = contact_shape is not None and COMPANY in contact_shape["relations"]
    parts = await visit.together(
        contacts=visit.get("entities", "/records/contact", where=(f"{COMPANY}:{id_}",), limit=MOST_CONTACTS)
        if is_theirs
        else _nobody(),
        history=visit.get("entities", f"/records/{COMPANIES.entity}/{id_}/history", limit=SHOWN),
        others=related(visit, shape, [record]),
    )
    people = parts.contacts["items"] if parts.contacts and contact_shape else []
    actors = [entry["actor"] for entry in parts.history["items"]] if parts.history else []
    return visit.show(
        "staff/company.html",
        kind=COMPANIES,
        shape=shape,
        record=record,
        beside=parts,
        contacts=[with_values(each, contact_shape) for each in people if contact_shape],
        others=parts.others or {},
        names=await names_of(visit, actors),
    )


async def _nobody() -> dict[str, list[str]]:
    return {"items": []}
