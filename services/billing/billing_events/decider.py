"""Records what the ERP says about a billing event, when it says something new."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.decider import Decider
from contracts.base import Event
from contracts.billing import BillingEventRecorded
from contracts.erp import BillingEvent
from services.billing.billing_events.state import BillingEventState, evolve
from services.billing.contracts.state import SupplyContract


@dataclass(frozen=True, slots=True)
class RecordBillingEvent:
    """The ERP says how a billing event of this contract stands now."""

    contract: SupplyContract
    event: BillingEvent


def decide(command: RecordBillingEvent, known: BillingEventState) -> list[Event]:
    """BillingEventRecorded when it is new or has changed, nothing when it is known as it is."""
    told = command.event
    recorded = BillingEventRecorded(
        **command.contract.named(),
        external_id=told.external_id,
        kind=told.kind,
        direction=told.direction,
        amount_cents=told.amount_cents,
        currency=told.currency,
        due_on=told.due_on,
        paid_on=told.paid_on,
        status=told.status,
    )
    return [] if known is not None and _says_the_same(known, recorded) else [recorded]


def _says_the_same(known: BillingEventRecorded, recorded: BillingEventRecorded) -> bool:
    """Whether only the holder of the contract has changed, which is no news about the billing event."""
    return known == recorded or known == recorded.model_copy(update={"contact_id": known.contact_id})


DECIDER: Decider[RecordBillingEvent, BillingEventState] = Decider("billing_event", None, decide, evolve)
