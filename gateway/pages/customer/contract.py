"""`/contracts/{id}` and its billing events: everything about one contract on one page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from chassis.texts import ZONE
from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

PAGE_SIZE = 25
OVER = {"confirmed", "requested", "ended"}

pages = Pages("portal")


@pages.get("/contracts/{contract_id}")
async def contract(visit: Visit) -> Response:
    id_ = visit.path["contract_id"]
    found = await visit.get("portal", f"/contracts/{id_}")
    is_customer = visit.who is not None and visit.who.role == "customer"
    ending = await _ending(visit, id_) if is_customer and not _is_cancelled(found) else None
    context = {
        "page": found,
        "groups": _known(found["groups"]),
        "ending": ending,
        "is_customer": is_customer,
        "today": str(datetime.now(ZONE).date()),
    }
    return visit.show("customer/contract.html", **context)


@pages.get("/contracts/{contract_id}/billing-events")
async def billing_events(visit: Visit) -> Response:
    id_ = visit.path["contract_id"]
    found = await visit.together(
        contract=visit.get("portal", f"/contracts/{id_}"),
        events=visit.get(
            "portal", f"/contracts/{id_}/billing-events", limit=PAGE_SIZE, cursor=visit.query.get("cursor")
        ),
    )
    return visit.show("customer/billing_events.html", page=found, contract_id=id_)


def _known(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups with the attributes that have a value; empty ones are left out."""
    known = [
        {**group, "attributes": [each for each in group["attributes"] if each["value"] is not None]} for group in groups
    ]
    return [group for group in known if group["attributes"]]


def _is_cancelled(found: dict[str, Any]) -> bool:
    last = (found["cancellation"] or {}).get("last")
    return last is not None and last["status"] in OVER


async def _ending(visit: Visit, contract_id: str) -> dict[str, Any] | Away | None:
    """When the contract could end; Away while billing is, None where it does not say."""
    try:
        preview: dict[str, Any] = await visit.get("billing", f"/contracts/{contract_id}/cancellation-preview")
    except Away as away:
        return away
    except Refused:
        return None
    return preview
