"""How a plan comes into force, and how a customer's change becomes one: asked for here, decided by the ERP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentPlanSet, InstalmentRefused, Schedule
from contracts.erp import InstalmentPlan
from contracts.portal import InstalmentRules
from services.billing.contracts.state import SupplyContract
from services.billing.instalments.rules import check_amount, check_now, schedule_with
from services.billing.instalments.state import Instalments, NoPlan, PendingChange, Plan, evolve


@dataclass(frozen=True, slots=True)
class SetPlan:
    """The ERP says which plan is in force."""

    contract: SupplyContract
    plan: InstalmentPlan


@dataclass(frozen=True, slots=True)
class ChangeInstalment:
    """A customer asks for another amount. `currency`, where given, must be that of the plan."""

    contract: SupplyContract
    change_id: str
    amount_cents: int
    today: date
    rules: InstalmentRules
    overdue: bool
    portal_id: str | None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ConfirmChange:
    """The ERP has taken a change over. Without a `schedule` the known due dates stay."""

    contract: SupplyContract
    change_id: str
    schedule: Schedule = ()


@dataclass(frozen=True, slots=True)
class RefuseChange:
    """The ERP does not take a change over."""

    contract: SupplyContract
    change_id: str
    reason: str


Command = SetPlan | ChangeInstalment | ConfirmChange | RefuseChange


def decide(command: Command, state: Instalments) -> list[Event]:
    """What follows from a command, or Rejected."""
    match command:
        case SetPlan():
            return set_plan(command, state)
        case ChangeInstalment():
            return change_instalment(command, state)
        case ConfirmChange():
            return confirm_change(command, state)
        case RefuseChange():
            return refuse_change(command, state)
        case _:
            assert_never(command)


def set_plan(command: SetPlan, state: Instalments) -> list[Event]:
    """Nothing new for a known plan. A plan with the amount that is asked for is the echo of the change: it confirms."""
    told = command.plan
    if isinstance(state, Plan):
        if (state.amount_cents, state.currency, state.valid_from, state.schedule) == (
            told.amount_cents,
            told.currency,
            told.valid_from,
            told.schedule,
        ):
            return []
        pending = state.pending
        if pending and (pending.amount_cents, state.currency) == (told.amount_cents, told.currency):
            return [_confirmed(command.contract, state, pending, told.valid_from, told.schedule)]
    return [
        InstalmentPlanSet(
            **command.contract.named(),
            amount_cents=told.amount_cents,
            currency=told.currency,
            valid_from=told.valid_from,
            schedule=told.schedule,
        )
    ]


def change_instalment(command: ChangeInstalment, state: Instalments) -> list[Event]:
    """InstalmentChanged inside the limits of the portal; the plan in force stays until the ERP has confirmed."""
    plan, opening = check_now(state, command.rules, command.today, command.overdue)
    if command.currency not in {None, plan.currency}:
        raise Rejected("invalid_currency", currency=plan.currency)
    check_amount(plan, command.rules, command.amount_cents)
    return [
        InstalmentChanged(
            **command.contract.named(),
            change_id=command.change_id,
            from_cents=plan.amount_cents,
            amount_cents=command.amount_cents,
            currency=plan.currency,
            effective_from=opening.effective_from,
            changed_on=command.today,
            portal_id=command.portal_id,
        )
    ]


def confirm_change(command: ConfirmChange, state: Instalments) -> list[Event]:
    """Nothing new when it was confirmed before."""
    undecided = _undecided(command.change_id, "confirmed", state)
    if undecided is None:
        return []
    plan, pending = undecided
    schedule = command.schedule or schedule_with(plan.schedule, pending.effective_from, pending.amount_cents)
    if command.schedule and all(item.amount_cents != pending.amount_cents for item in command.schedule):
        raise Rejected(
            "schedule_without_amount",
            change_id=command.change_id,
            amount_cents=pending.amount_cents,
            currency=plan.currency,
        )
    return [_confirmed(command.contract, plan, pending, pending.effective_from, schedule)]


def refuse_change(command: RefuseChange, state: Instalments) -> list[Event]:
    """Nothing new when it was refused before."""
    undecided = _undecided(command.change_id, "refused", state)
    if undecided is None:
        return []
    plan, pending = undecided
    return [
        InstalmentRefused(
            **command.contract.named(),
            change_id=command.change_id,
            amount_cents=pending.amount_cents,
            current_cents=plan.amount_cents,
            currency=plan.currency,
            reason=command.reason,
            portal_id=pending.portal_id,
        )
    ]


def _undecided(change_id: str, decision: str, state: Instalments) -> tuple[Plan, PendingChange] | None:
    """The change to decide, or None when this very decision was made before."""
    if isinstance(state, NoPlan):
        raise Rejected("unknown_change", change_id=change_id)
    decided = state.decided.get(change_id)
    if decided == decision:
        return None
    if decided:
        raise Rejected("change_already_decided", change_id=change_id, decision=decided)
    if state.pending is None or state.pending.change_id != change_id:
        raise Rejected("unknown_change", change_id=change_id)
    return state, state.pending


def _confirmed(
    contract: SupplyContract, plan: Plan, change: PendingChange, effective_from: date, schedule: Schedule
) -> InstalmentConfirmed:
    return InstalmentConfirmed(
        **contract.named(),
        change_id=change.change_id,
        from_cents=plan.amount_cents,
        amount_cents=change.amount_cents,
        currency=plan.currency,
        effective_from=effective_from,
        schedule=schedule,
        portal_id=change.portal_id,
    )


DECIDER: Decider[Command, Instalments] = Decider("instalments", NoPlan(), decide, evolve)
