"""The questions that pages ask the read models, each answered through an index and a page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

import orjson

from chassis.errors import Rejected
from chassis.views import ViewReader
from services.portal.pages.views import BillingEventDoc, ContractDoc

T = TypeVar("T")
DEFAULT_CURRENCY = "EUR"
MAXIMUM_CURSOR = 1_000

_OF_CONTRACT = "doc->>'contract_id' = %s"
_IS_OVERDUE = "(doc->>'status' = 'open' AND doc->>'direction' = 'debit' AND doc->>'due_on' < %s)"
_BEHIND = "(doc->>'due_on', key) < (%s, %s)"
_LATEST_DUE_FIRST = "doc->>'due_on' DESC, key DESC"
_AMOUNT = "(doc->>'amount_cents')::bigint"
_SUMS = (
    f"coalesce(sum(CASE doc->>'direction' WHEN 'debit' THEN {_AMOUNT} ELSE -{_AMOUNT} END), 0)::bigint, "
    f"coalesce(sum({_AMOUNT}) FILTER (WHERE {_IS_OVERDUE}), 0)::bigint"
)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many, and the cursor behind the last of them, null on the last page."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class Sums:
    """What is open on a contract: debit minus credit, and what of the debit is overdue."""

    amount_cents: int
    overdue_cents: int


def is_overdue(event: BillingEventDoc, today: date) -> bool:
    """Owed by the customer, not paid, and due before today."""
    return event.status == "open" and event.direction == "debit" and event.due_on < today


async def contracts_page(
    contracts: ViewReader[ContractDoc], holder: str | None, cursor: str | None, limit: int
) -> Page[ContractDoc]:
    """Contracts by number: those of a holder, or everybody's."""
    conditions: list[str] = []
    parameters: list[object] = []
    if holder is not None:
        conditions.append("doc->>'holder' = %s")
        parameters.append(holder)
    if cursor is not None:
        conditions.append("(doc->>'number', key) > (%s, %s)")
        parameters += read_cursor(cursor, 2)
    where = " AND ".join(conditions) or "true"
    found = await contracts.find(where, parameters, order="doc->>'number', key", limit=limit + 1)
    return _page(found, limit, lambda last: write_cursor(last.number, last.id))


async def billing_events_page(
    events: ViewReader[BillingEventDoc], contract_id: str, today: date, cursor: str | None, limit: int
) -> tuple[Page[BillingEventDoc], date]:
    """Billing events of a contract: overdue ones first, then the others, each by falling due date.

    What is overdue is judged by the day of the first page, which the cursor remembers and which is returned too.
    """
    section, behind = "overdue", []
    if cursor is not None:
        as_of, section, *behind = read_cursor(cursor, 4)
        today = _day(as_of)
    found: list[BillingEventDoc] = []
    if section == "overdue":
        found += await _section(events, _IS_OVERDUE, [contract_id, str(today)], behind, limit + 1)
        behind = []
    if len(found) <= limit:
        left = limit + 1 - len(found)
        found += await _section(events, f"NOT {_IS_OVERDUE}", [contract_id, str(today)], behind, left)

    def cursor_behind(last: BillingEventDoc) -> str:
        place = "overdue" if is_overdue(last, today) else "others"
        return write_cursor(str(today), place, str(last.due_on), f"{last.contract_id}/{last.external_id}")

    return _page(found, limit, cursor_behind), today


async def open_sums(events: ViewReader[BillingEventDoc], contract_id: str, currency: str, today: date) -> Sums:
    """What is open on a contract in a currency."""
    where = f"{_OF_CONTRACT} AND doc->>'status' = 'open' AND doc->>'currency' = %s"
    amount_cents, overdue_cents = await events.aggregate(_SUMS, where, [str(today), contract_id, currency])
    return Sums(amount_cents, overdue_cents)


def write_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_cursor(cursor: str, parts: int) -> list[str]:
    """The parts of a cursor that we wrote; raises Rejected for anything else."""
    try:
        if len(cursor) > MAXIMUM_CURSOR:
            raise ValueError("too long")
        read = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise Rejected("invalid_cursor") from None
    if not isinstance(read, list) or len(read) != parts or not all(isinstance(part, str) for part in read):
        raise Rejected("invalid_cursor")
    if any("\0" in part for part in read):
        raise Rejected("invalid_cursor")
    return read


def _page(found: list[T], limit: int, cursor_behind: Callable[[T], str]) -> Page[T]:
    items = found[:limit]
    return Page(items, cursor_behind(items[-1]) if len(found) > limit else None)


async def _section(
    events: ViewReader[BillingEventDoc], condition: str, parameters: list[str], behind: list[str], limit: int
) -> list[BillingEventDoc]:
    where = f"{_OF_CONTRACT} AND {condition}" + (f" AND {_BEHIND}" if behind else "")
    return await events.find(where, [*parameters, *behind], order=_LATEST_DUE_FIRST, limit=limit)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Rejected("invalid_cursor") from None
