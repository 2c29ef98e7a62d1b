"""`/payments`: what is open on all contracts, overdue first, and what has been paid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

PAGE_SIZE = 25
MOST_CONTRACTS = 100
STATUSES = {"open": "open", "paid": "closed"}

pages = Pages("portal")


@dataclass(frozen=True)
class Total:
    """What is open in a currency."""

    currency: str
    amount_cents: int
    overdue_cents: int


@pages.get("/payments")
async def payments(visit: Visit) -> Response:
    tab = visit.query.get("show", "open")
    tab = tab if tab in STATUSES else "open"
    cursor = visit.query.get("cursor")
    found = await visit.together(
        events=visit.get("portal", "/billing-events", status=STATUSES[tab], limit=PAGE_SIZE, cursor=cursor),
        contracts=visit.get("portal", "/contracts", limit=MOST_CONTRACTS),
    )
    totals = totals_of(found.contracts["items"]) if found.contracts else []
    return visit.show("customer/payments.html", page=found, tab=tab, totals=totals)


def totals_of(contracts: Iterable[dict[str, Any]]) -> list[Total]:
    """The balances of contracts together, one for each currency."""
    sums: dict[str, tuple[int, int]] = {}
    for balance in (contract["balance"] for contract in contracts):
        amount, overdue = sums.get(balance["currency"], (0, 0))
        sums[balance["currency"]] = amount + balance["amount_cents"], overdue + balance["overdue_cents"]
    return [Total(currency, *both) for currency, both in sorted(sums.items())]
