"""What the rules need to know of a contract's end: its terms, and how far its cancellation is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

from contracts.billing import (
    Basis,
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from contracts.common import Json
from services.billing.cancellations.periods import Period, last_day
from services.billing.contracts.state import SupplyContract

CancellationEvent = (
    CancellationRequested | CancellationRefused | CancellationConfirmed | CancellationWithdrawn | ContractTerminated
)
FIRST_YEAR, LAST_YEAR = 1900, 2200
DEFAULT_NOTICE = Period(months=1)
"""Where a contract says nothing: the longest notice that binds a consumer (BGB 309 No. 9)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. `notice` is None when it cannot be read; without `renewal_months` the contract is open-ended."""

    starts_on: date | None = None
    initial_term_months: int = 0
    notice: Period | None = DEFAULT_NOTICE
    renewal_months: int = 0
    basic_supply: bool = False
    price_change_on: date | None = None

    @property
    def initial_end(self) -> date | None:
        """The last day of the initial term, where there is one."""
        if not self.starts_on or not self.initial_term_months:
            return None
        return last_day(self.starts_on, self.initial_term_months)

    @classmethod
    def read(cls, attributes: dict[str, Json]) -> Terms:
        """From the attributes of a contract's record; what is no term is as if it were not there."""
        return cls(
            starts_on=_date(attributes.get("starts_on")),
            initial_term_months=_months(attributes.get("initial_term_months")),
            notice=_period(attributes.get("notice")),
            renewal_months=_months(attributes.get("renewal_months")),
            basic_supply=attributes.get("basic_supply") is True,
            price_change_on=_date(attributes.get("price_change_on")),
        )


@dataclass(frozen=True, slots=True)
class CancellableContract:
    """A contract with its terms. `status` is the record's: it counts until billing has decided on one."""

    contract: SupplyContract
    terms: Terms
    status: str | None


@dataclass(frozen=True, slots=True)
class Untouched:
    """Nobody has asked for a cancellation yet."""


@dataclass(frozen=True, slots=True)
class Running:
    """A cancellation was withdrawn: the contract goes on, whatever its record still says."""


@dataclass(frozen=True, slots=True)
class InCancellation:
    """Asked for; the end is certain once it is confirmed. `contract` is as it was named then."""

    contract: SupplyContract
    cancellation_id: str
    requested_on: date
    ends_on: date
    basis: Basis
    notice: str
    portal_id: str | None
    submission_id: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Terminated:
    """The contract has ended."""

    cancellation_id: str
    ends_on: date


Cancellation = Untouched | Running | InCancellation | Terminated


def evolve(state: Cancellation, event: CancellationEvent) -> Cancellation:
    """The state after an event."""
    match event:
        case CancellationRequested():
            return InCancellation(
                contract=SupplyContract(
                    id=event.contract_id, number=event.contract_number, contact_id=event.contact_id
                ),
                cancellation_id=event.cancellation_id,
                requested_on=event.requested_on,
                ends_on=event.ends_on,
                basis=event.basis,
                notice=event.notice,
                portal_id=event.portal_id,
                submission_id=event.submission_id,
            )
        case CancellationConfirmed():
            return replace(state, confirmed=True) if isinstance(state, InCancellation) else state
        case CancellationWithdrawn():
            return Running()
        case ContractTerminated():
            return Terminated(event.cancellation_id, event.ends_on)
        case CancellationRefused():
            return state
        case _:
            assert_never(event)


def _date(value: Json) -> date | None:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day and FIRST_YEAR <= day.year <= LAST_YEAR else None


def _months(value: Json) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1200 else 0


def _period(value: Json) -> Period | None:
    if value is None:
        return DEFAULT_NOTICE
    try:
        return Period.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None
