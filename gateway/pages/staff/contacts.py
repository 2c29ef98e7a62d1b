"""`/contacts`: customers and others, with their contracts, portal users and processes."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.staff import relations
from gateway.pages.staff.desk import found, names_of, portal_options
from gateway.pages.staff.records import CONTACTS, CONTRACTS, add_pages, find_shape, read, related, with_values
from gateway.routing import Pages
from gateway.visit import Refused, Visit

SHOWN = 6
MOST_CONTRACTS = 100

pages = Pages("staff")
add_pages(pages, CONTACTS)
relations.add_pages(pages, CONTACTS)


@pages.get("/contacts/{record_id}")
async def contact(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    shape, record = await read(visit, CONTACTS, visit.path["record_id"])
    id_ = record["id"]
    of_him = {"contact": id_, "limit": SHOWN}
    parts = await visit.together(
        contracts=visit.get("entities", "/records/contract", where=(f"holder:{id_}",), limit=MOST_CONTRACTS, search=""),
        contract_shape=find_shape(visit, CONTRACTS.entity),
        users=visit.get("identity", "/users", contact_id=id_),
        processes=visit.get("processes", "/instances", **of_him),
        tasks=visit.get("processes", "/tasks", **of_him),
        mails=found(visit, "notifications", "/messages", contact_id=id_, limit=SHOWN),
        portals=visit.get("portal", "/portals"),
        history=visit.get("entities", f"/records/contact/{id_}/history", limit=SHOWN),
        others=related(visit, shape, [record]),
    )
    held = parts.contracts["items"] if parts.contracts and parts.contract_shape else []
    actors = [entry["actor"] for entry in parts.history["items"]] if parts.history else []
    return visit.show(
        "staff/contact.html",
        refused.status if refused else 200,
        shape=shape,
        record=record,
        beside=parts,
        others=parts.others or {},
        contracts=[with_values(each, parts.contract_shape) for each in held],
        portal_options=portal_options(visit, parts.portals),
        names=await names_of(visit, actors),
        refused=refused,
    )


@pages.post("/contacts/{record_id}/invitations")
async def invite(visit: Visit) -> Response:
    """Invites the contact into a portal, at his own address or at another."""
    id_ = visit.path["record_id"]
    invitation = {"contact_id": id_, "email": visit.form["email"] or None}
    try:
        await visit.post("identity", f"/portals/{visit.form['portal']}/invitations", invitation)
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/contacts/{id_}", said="staff_contact.invited")
