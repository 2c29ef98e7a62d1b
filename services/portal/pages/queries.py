"""The questions that pages ask the read models, each answered through an index and a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from chassis.errors import Rejected
from chassis.views import ViewReader
from services.portal.pages.views import BillingEventDoc, ContractDoc
from services.portal.reading import Page, Slice, paged, read_cursor, write_cursor

DEFAULT_CURRENCY = "EUR"
RELATION = {"customer": "holder", "installer": "installer"}
"""The relation by which a contract belongs to a contact, in portals of an audience."""

MOST_CONTRACTS = 200
"""Of so many contracts of a contact billing events are listed together."""
Wish = Literal["open", "closed"]

_IS_OVERDUE = "(doc->>'status' = 'open' AND doc->>'direction' = 'debit' AND doc->>'due_on' < %s)"
_BEHIND = "(doc->>'due_on', key) < (%s, %s)"
_LATEST_DUE_FIRST = "doc->>'due_on' DESC, key DESC"
_AMOUNT = "(doc->>'amount_cents')::bigint"
_SUMS = (
    f"coalesce(sum(CASE doc->>'direction' WHEN 'debit' THEN {_AMOUNT} ELSE -{_AMOUNT} END), 0)::bigint, "
    f"coalesce(sum({_AMOUNT}) FILTER (WHERE doc->>'direction' = 'debit' AND doc->>'due_on' < %(today)s), 0)::bigint"
)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is open on a contract: debit minus credit, and what of the debit is overdue."""

    amount_cents: int
    overdue_cents: int


def is_overdue(event: BillingEventDoc, today: date) -> bool:
    """Owed by the customer, not paid, and due before today."""
    return event.status == "open" and event.direction == "debit" and event.due_on < today


async def contracts_page(
    contracts: ViewReader[ContractDoc], contact_id: str | None, audience: str, wanted: Slice
) -> Page[ContractDoc]:
    """Contracts by number: those of a contact in portals of an audience, or everybody's."""
    conditions: list[str] = []
    parameters: list[object] = []
    if contact_id is not None:
        conditions.append(f"doc->>'{RELATION[audience]}' = %s")
        parameters.append(contact_id)
    if wanted.cursor is not None:
        conditions.append("(doc->>'number', key) > (%s, %s)")
        parameters += read_cursor(wanted.cursor, 2)
    where = " AND ".join(conditions) or "true"
    found = await contracts.find(where, parameters, order="doc->>'number', key", limit=wanted.limit + 1)
    return paged(found, wanted.limit, lambda last: write_cursor(last.number, last.id))


async def contracts_of(
    contracts: ViewReader[ContractDoc], contact_id: str | None, audience: str
) -> dict[str, ContractDoc]:
    """The first contracts of a contact by number, at most `MOST_CONTRACTS`, by their ids."""
    page = await contracts_page(contracts, contact_id, audience, Slice(MOST_CONTRACTS, None))
    return {contract.id: contract for contract in page.items}


async def billing_events_page(
    events: ViewReader[BillingEventDoc],
    contract_ids: Sequence[str],
    today: date,
    wanted: Slice,
    status: Wish | None = None,
) -> tuple[Page[BillingEventDoc], date]:
    """Billing events of contracts: overdue ones first, then the others, each by falling due date.

    What is overdue is judged by the day of the first page, which the cursor remembers and which is returned too.
    """
    section, behind = "overdue", []
    if wanted.cursor is not None:
        as_of, section, *behind = read_cursor(wanted.cursor, 4)
        today = _day(as_of)
    found: list[BillingEventDoc] = []
    if section == "overdue" and status != "closed":
        found += await _section(events, contract_ids, [(_IS_OVERDUE, str(today))], behind, wanted.limit + 1)
        behind = []
    if len(found) <= wanted.limit:
        others = [(f"NOT {_IS_OVERDUE}", str(today)), *([("doc->>'status' = %s", status)] if status else [])]
        found += await _section(events, contract_ids, others, behind, wanted.limit + 1 - len(found))

    def cursor_behind(last: BillingEventDoc) -> str:
        place = "overdue" if is_overdue(last, today) else "others"
        return write_cursor(str(today), place, str(last.due_on), f"{last.contract_id}/{last.external_id}")

    return paged(found, wanted.limit, cursor_behind), today


class FirstBillingEvents:
    """The billing events that the page of a contract begins with, in the order of `billing_events_page`."""

    def __init__(self, events: ViewReader[BillingEventDoc], today: Callable[[], date], count: int) -> None:
        overdue = _IS_OVERDUE % "%(today)s"
        self._firsts = events.firsts(
            by="doc->>'contract_id'",
            sections=[overdue, f"NOT {overdue}"],
            order=_LATEST_DUE_FIRST,
            limit=count,
            parameters=lambda: {"today": str(today())},
        )

    async def of(self, contract_id: str) -> list[BillingEventDoc]:
        return (await self._firsts.load([contract_id])).get(contract_id, [])


class OpenSums:
    """What is open on contracts, by their currencies, on the day that it is."""

    def __init__(self, events: ViewReader[BillingEventDoc], today: Callable[[], date]) -> None:
        self._totals = events.totals(
            by="doc->>'contract_id'",
            within="doc->>'currency'",
            columns=_SUMS,
            where="doc->>'status' = 'open'",
            parameters=lambda: {"today": str(today())},
        )

    async def of(self, *contract_ids: str) -> dict[str, dict[str, Sums]]:
        """By contract; one of which nothing is open is left out."""
        totals = await self._totals.load(contract_ids)
        return {
            contract_id: {currency: Sums(*sums) for currency, sums in by_currency.items()}
            for contract_id, by_currency in totals.items()
        }


async def _section(
    events: ViewReader[BillingEventDoc],
    contract_ids: Sequence[str],
    conditions: Sequence[tuple[str, str]],
    behind: list[str],
    limit: int,
) -> list[BillingEventDoc]:
    """Those of one contract come out of the index in their order; those of several are sorted."""
    of_one = len(contract_ids) == 1
    parameters: list[object] = [contract_ids[0] if of_one else list(contract_ids)]
    where = [f"doc->>'contract_id' = {'%s' if of_one else 'ANY(%s)'}"]
    for condition, value in conditions:
        where.append(condition)
        parameters.append(value)
    if behind:
        where.append(_BEHIND)
    return await events.find(" AND ".join(where), [*parameters, *behind], order=_LATEST_DUE_FIRST, limit=limit)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Rejected("invalid_cursor") from None
