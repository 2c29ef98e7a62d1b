"""Messages of the ERP about billing events become commands."""

from __future__ import annotations

from typing import Any

from chassis.decider import Do
from contracts.erp import BillingEvent
from contracts.ids import billing_event_id
from services.billing.billing_events.decider import DECIDER, RecordBillingEvent
from services.billing.contracts.state import SupplyContract


def record(message: BillingEvent, contract: SupplyContract) -> Do[Any, Any]:
    """A billing event as it stands now."""
    return Do(DECIDER, billing_event_id(contract.id, message.external_id), RecordBillingEvent(contract, message))
