"""Billing events by contract, for the rule that no instalment changes while a payment is overdue."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.billing import BillingEventRecorded, BillingStatus, Direction
from contracts.envelope import Envelope


class Owed(BaseModel):
    """As much of a billing event as says whether it is overdue."""

    model_config = ConfigDict(frozen=True)

    contract_id: str
    direction: Direction
    status: BillingStatus
    due_on: date


def _key(envelope: Envelope) -> str | None:
    event = envelope.event
    return f"{event.contract_id}/{event.external_id}" if isinstance(event, BillingEventRecorded) else None


def _evolve(owed: Owed | None, envelope: Envelope) -> Owed | None:
    event = envelope.event
    if not isinstance(event, BillingEventRecorded):
        return owed
    return Owed(
        contract_id=event.contract_id,
        direction=event.direction,
        status=event.status,
        due_on=event.due_on,
    )


OWED = View(
    name="owed",
    version=1,
    document=Owed,
    events=(BillingEventRecorded,),
    key=_key,
    evolve=_evolve,
    indexes={"contract": "(doc->>'contract_id')"},
)


async def is_overdue(owed: ViewReader[Owed], contract_id: str, today: date) -> bool:
    """Whether the customer owes something for this contract that was due before today."""
    open_debit = "doc->>'contract_id' = %s AND doc->>'status' = 'open' AND doc->>'direction' = 'debit'"
    late = await owed.find(f"{open_debit} AND doc->>'due_on' < %s", [contract_id, today.isoformat()], limit=1)
    return bool(late)
