"""Messages of the ERP about billing events become commands."""

from __future__ import annotations

from typing import Any

from chassis.decider import Do
from contracts.erp import BillingEvent
from contracts.ids import record_id
from services.billing.billing_events.decider import DECIDER, RecordBillingEvent
from services.billing.contracts.state import SupplyContract


def billing_event_id(contract_id: str, external_id: str) -> str:
    """The id of a billing event: the ERP's own id is unique within a contract."""
    return record_id("billing_event", f"{contract_id}/{external_id}")


def record(message: BillingEvent, contract: SupplyContract) -> Do[Any, Any]:
    """A billing event as it stands now."""
    return Do(DECIDER, billing_event_id(contract.id, message.external_id), RecordBillingEvent(contract, message))
