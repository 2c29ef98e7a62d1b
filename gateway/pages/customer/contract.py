"""`/contracts/{id}` and its billing events: everything about one contract on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.pages.customer.documents import names_of
from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

PAGE_SIZE = 25
MOST_DOCUMENTS = 5
CANCELLED = {"confirmed", "requested", "ended"}

pages = Pages("portal")


@pages.get("/contracts/{contract_id}")
async def contract(visit: Visit) -> Response:
    id_ = visit.path["contract_id"]
    found = await visit.get("portal", f"/contracts/{id_}")
    is_customer = visit.who is not None and visit.who.role == "customer"
    cancelled = _cancelled(found)
    files = found["documents"][:MOST_DOCUMENTS]
    beside = await visit.together(
        names=names_of(visit, files),
        ending=_preview(visit, id_, "cancellation", asked=is_customer and not cancelled),
        change=_preview(visit, id_, "instalment", asked=_may_be_refused(found) and not cancelled),
    )
    context = {
        "page": {**found, "documents": files},
        "groups": _known(found["groups"]),
        "is_customer": is_customer,
        "cancelled": cancelled,
        **vars(beside),
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


def _may_be_refused(found: Mapping[str, Any]) -> bool:
    """Whether it is worth a question, before somebody tries to change his instalment in vain."""
    plan, pending = found["instalments"]["plan"], found["instalments"]["pending"]
    return plan is not None and pending is None and found["balance"]["overdue_cents"] > 0


def _cancelled(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The cancellation by which the contract ends or has ended."""
    last: dict[str, Any] | None = (found["cancellation"] or {}).get("last")
    return last if last and last["status"] in CANCELLED else None


async def _preview(visit: Visit, contract_id: str, what: str, *, asked: bool) -> dict[str, Any] | Away | None:
    """What billing would answer, if it is asked; Away while it is, None where it does not say."""
    if not asked:
        return None
    try:
        preview: dict[str, Any] = await visit.get("billing", f"/contracts/{contract_id}/{what}-preview")
    except Away as away:
        return away
    except Refused:
        return None
    return preview
