"""Messages of the ERP about billing events become commands."""

from __future__ import annotations

from typing import Any

from chassis.decider import Do
from contracts.erp import BillingEvent
from services.billing.contracts.state import SupplyContract
from services.billing.ledger.decider import DECIDER, RecordBillingEvent


def record(message: BillingEvent, contract: SupplyContract) -> Do[Any, Any]:
    """A billing event as it stands now."""
    return Do(DECIDER, contract.id, RecordBillingEvent(contract, message))
