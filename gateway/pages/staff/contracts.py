"""`/contracts`: a contract with what belongs to it, what may be decided about it, and as its customer sees it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.pages.staff import relations
from gateway.pages.staff.desk import found, may, names_of, pages_around, portal_options
from gateway.pages.staff.records import CONTRACTS, Record, add_pages, read, related
from gateway.routing import Pages
from gateway.visit import Refused, Visit

SHOWN = 6

pages = Pages("staff")
add_pages(pages, CONTRACTS)
relations.add_pages(pages, CONTRACTS)


@pages.get("/contracts/{record_id}")
async def contract(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    shape, record = await read(visit, CONTRACTS, visit.path["record_id"])
    id_ = record["id"]
    parts = await visit.together(
        page=found(visit, "portal", f"/contracts/{id_}"),
        processes=visit.get("processes", "/instances", record=id_, limit=SHOWN),
        definitions=visit.get("processes", "/definitions"),
        portals=visit.get("portal", "/portals"),
        history=visit.get("entities", f"/records/contract/{id_}/history", limit=SHOWN),
        others=related(visit, shape, [record]),
    )
    history = parts.history["items"] if parts.history else []
    startable = [each for each in parts.definitions["items"] if each["on"] == "contract"] if parts.definitions else []
    return visit.show(
        "staff/contract.html",
        refused.status if refused else 200,
        shape=shape,
        record=record,
        beside=parts,
        others=parts.others or {},
        portal_options=portal_options(visit, parts.portals) if _holder(record) else [],
        startable=startable if may(visit, "staff") else [],
        startable_options=[(each["process"], each["title"].get(visit.language) or "") for each in startable],
        may_decide=may(visit, "staff"),
        names=await names_of(visit, [entry["actor"] for entry in history]),
        refused=refused,
    )


@pages.get("/contracts/{record_id}/billing-events")
async def billing_events(visit: Visit) -> Response:
    """All of them, overdue ones first."""
    _, record = await read(visit, CONTRACTS, visit.path["record_id"])
    cursor = visit.query.get("cursor", "")
    page = await visit.get("portal", f"/contracts/{record['id']}/billing-events", cursor=cursor, limit=100)
    around = pages_around(visit, page["next"], "cursor")
    return visit.show("staff/billing_events.html", record=record, page=page, around=around)


@pages.get("/contracts/{record_id}/portals/{portal_id}")
async def as_customer(visit: Visit) -> Response:
    """The page of the contract as its holder sees it in a portal."""
    _, record = await read(visit, CONTRACTS, visit.path["record_id"])
    portal_id = visit.path["portal_id"]
    holder = _holder(record)
    if holder is None:
        return visit.not_found()
    page, portal = (
        await visit.get("portal", f"/contracts/{record['id']}", portal_id=portal_id, contact_id=holder),
        await visit.get("portal", f"/portals/{portal_id}"),
    )
    return visit.show("staff/contract_as_customer.html", record=record, page=page, portal=portal)


@pages.post("/contracts/{record_id}/cancellation")
async def decide_cancellation(visit: Visit) -> Response:
    """Confirms the cancellation that is under way, or lets the contract go on after all."""
    id_, what = visit.path["record_id"], visit.form["what"]
    path = f"/contracts/{id_}/cancellations/{visit.form['cancellation']}"
    body: dict[str, Any] | None = {"reason": visit.form["reason"]} if what == "withdraw" else None
    if what not in {"confirm", "withdraw"}:
        return visit.not_found()
    try:
        await visit.post("billing", f"{path}/{what}", body)
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/contracts/{id_}", said="staff_contract.done." + what)


@pages.post("/contracts/{record_id}/processes")
async def start_process(visit: Visit) -> Response:
    id_ = visit.path["record_id"]
    wanted = {
        "process": visit.form["process"],
        "record": {"entity": "contract", "id": id_},
        "portal_id": visit.form["portal"] or None,
    }
    try:
        started = await visit.post("processes", "/instances", wanted)
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/processes/{started['instance_id']}", said="board.started_done")


def _holder(record: Record) -> str | None:
    return next(iter(record["relations"].get("holder", ())), None)
