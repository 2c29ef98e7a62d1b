"""Events of billing: instalment plans, their changes, and the billing events mirrored from the ERP."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Event
from contracts.common import Cents, Currency, Instalment

BillingKind = Literal[
    "instalment",
    "payment",
    "reimbursement",
    "dunning_fee",
    "invoice",
    "final_bill",
    "bonus",
    "correction",
    "chargeback",
    "custom",
]
Direction = Literal["debit", "credit"]
BillingStatus = Literal["open", "closed"]
Schedule = tuple[Instalment, ...]


class _OfContract(Event, abstract=True):
    contract_id: str
    contract_number: str = Field(description="The contract's id in the ERP")
    contact_id: str | None = Field(description="The holder of the contract, where known")


class InstalmentPlanSet(_OfContract, service="billing"):
    """The ERP's plan is in force: the amount from `valid_from` on and the full forward schedule."""

    amount_cents: Annotated[Cents, Field(ge=0)]
    currency: Currency
    valid_from: date
    schedule: Schedule


class InstalmentChanged(_OfContract, service="billing"):
    """A customer asked for another amount inside his limits; the ERP confirms or refuses it by `change_id`."""

    change_id: str
    from_cents: Annotated[Cents, Field(ge=0)]
    amount_cents: Annotated[Cents, Field(ge=0)]
    currency: Currency
    effective_from: date = Field(description="The first due date with the new amount")
    changed_on: date
    portal_id: str | None


class InstalmentConfirmed(_OfContract, service="billing"):
    """The ERP has taken over a change: its amount is in force from `effective_from`, with this schedule."""

    change_id: str
    from_cents: Annotated[Cents, Field(ge=0)]
    amount_cents: Annotated[Cents, Field(ge=0)]
    currency: Currency
    effective_from: date
    schedule: Schedule
    portal_id: str | None = Field(default=None, description="Where the change was asked for")


class InstalmentRefused(_OfContract, service="billing"):
    """The ERP has refused a change; the amount in force stays."""

    change_id: str
    amount_cents: Annotated[Cents, Field(ge=0, description="What was asked for")]
    current_cents: Annotated[Cents, Field(ge=0, description="What stays in force")]
    currency: Currency
    reason: str
    portal_id: str | None = None


class BillingEventRecorded(_OfContract, service="billing"):
    """A billing event of the ERP as it stands now; a later one with the same `external_id` replaces it."""

    external_id: str
    kind: BillingKind
    direction: Direction = Field(description="debit: the customer owes it; credit: it is owed to the customer")
    amount_cents: Annotated[Cents, Field(ge=0)]
    currency: Currency
    due_on: date
    paid_on: date | None
    status: BillingStatus
