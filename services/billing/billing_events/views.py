"""What is owed by contract, for the rule that no instalment changes while a payment is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.billing import BillingEventRecorded
from contracts.envelope import Envelope


class Owed(BaseModel):
    """When each payment is due that the customer still owes for a contract, by the ERP's id of its billing event."""

    model_config = ConfigDict(frozen=True)

    due_on: Mapping[str, date]


def _key(envelope: Envelope) -> str | None:
    return envelope.event.contract_id if isinstance(envelope.event, BillingEventRecorded) else None


def _evolve(owed: Owed | None, envelope: Envelope) -> Owed | None:
    event = envelope.event
    if not isinstance(event, BillingEventRecorded):
        return owed
    due_on = dict(owed.due_on) if owed else {}
    due_on.pop(event.external_id, None)
    if event.status == "open" and event.direction == "debit":
        due_on[event.external_id] = event.due_on
    return Owed(due_on=due_on) if due_on else None


OWED = View(
    name="owed",
    version=2,
    document=Owed,
    events=(BillingEventRecorded,),
    key=_key,
    evolve=_evolve,
)


async def is_overdue(owed: ViewReader[Owed], contract_id: str, today: date) -> bool:
    """Whether the customer owes something for this contract that was due before today."""
    found = await owed.get(contract_id)
    return found is not None and min(found.due_on.values()) < today
