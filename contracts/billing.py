"""Events of billing: instalment plans, cancellations, and the billing events mirrored from the ERP."""

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


Basis = Literal["initial_term", "renewal", "open_ended", "basic_supply", "moving_out", "price_change"]
"""By which rule a contract ends when it does."""


class CancellationRequested(_OfContract, service="billing"):
    """A contract is being cancelled: it is in cancellation, and ends on `ends_on` once this is confirmed."""

    cancellation_id: str
    requested_on: date
    ends_on: date
    basis: Basis
    notice: str = Field(description="The notice that was kept, e.g. P1M or P14D (ISO 8601)")
    reason: str | None = Field(description="A code such as moving; what people wrote is with the record")
    submission_id: str | None = Field(description="The submission that asked for it")
    effect: int | None = Field(description="Which effect of the submission it is")
    portal_id: str | None


class CancellationRefused(_OfContract, service="billing"):
    """A submission asked for a cancellation that is not possible; the contract stays as it is."""

    submission_id: str
    effect: int
    code: str
    portal_id: str | None


class CancellationConfirmed(_OfContract, service="billing"):
    """The end of a contract is certain. The customer is told within a week (EnWG 41b(1))."""

    cancellation_id: str
    ends_on: date
    portal_id: str | None


class CancellationWithdrawn(_OfContract, service="billing"):
    """A cancellation is off: the contract goes on."""

    cancellation_id: str
    reason: str = Field(description="For the files; without personal data")
    portal_id: str | None


class ContractTerminated(_OfContract, service="billing"):
    """A contract has ended: `ends_on` was its last day."""

    cancellation_id: str
    ends_on: date
