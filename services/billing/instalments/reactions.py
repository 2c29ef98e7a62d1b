"""Messages of the ERP about instalments become commands."""

from __future__ import annotations

from typing import Any

from chassis.decider import Do
from contracts.erp import InstalmentDecision, InstalmentPlan
from services.billing.contracts.state import SupplyContract
from services.billing.instalments.decider import DECIDER, ConfirmChange, RefuseChange, SetPlan


def set_plan(message: InstalmentPlan, contract: SupplyContract) -> Do[Any, Any]:
    """The plan in force."""
    return Do(DECIDER, contract.id, SetPlan(contract, message))


def decide(message: InstalmentDecision, contract: SupplyContract) -> Do[Any, Any]:
    """A change confirmed or refused."""
    if message.decision == "confirmed":
        return Do(DECIDER, contract.id, ConfirmChange(contract, message.change_id, message.schedule))
    return Do(DECIDER, contract.id, RefuseChange(contract, message.change_id, message.reason or ""))
