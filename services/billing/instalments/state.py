"""What the rules need to know of a contract's instalments: the plan in force and the change that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, assert_never

from contracts.billing import (
    InstalmentChanged,
    InstalmentConfirmed,
    InstalmentPlanSet,
    InstalmentRefused,
    Schedule,
)

InstalmentEvent = InstalmentPlanSet | InstalmentChanged | InstalmentConfirmed | InstalmentRefused
Decision = Literal["confirmed", "refused"]


@dataclass(frozen=True, slots=True)
class NoPlan:
    """The ERP has sent no plan yet."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change that the ERP has not decided yet; the plan in force stays as it is."""

    change_id: str
    amount_cents: int
    effective_from: date
    changed_on: date
    portal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan in force. `last_changed_on`: when the last change was asked for that the ERP has taken over."""

    amount_cents: int
    currency: str
    valid_from: date
    schedule: Schedule
    pending: PendingChange | None = None
    last_changed_on: date | None = None
    decided: Mapping[str, Decision] = field(default_factory=dict)


Instalments = NoPlan | Plan


def evolve(state: Instalments, event: InstalmentEvent) -> Instalments:
    """The state after an event."""
    match event:
        case InstalmentPlanSet():
            return _with_plan(state, event)
        case InstalmentChanged():
            return _with_change(state, event)
        case InstalmentConfirmed():
            return _with_confirmation(state, event)
        case InstalmentRefused():
            return _with_refusal(state, event)
        case _:
            assert_never(event)


def _with_plan(state: Instalments, event: InstalmentPlanSet) -> Plan:
    new = Plan(event.amount_cents, event.currency, event.valid_from, event.schedule)
    if isinstance(state, NoPlan):
        return new
    return replace(new, pending=state.pending, last_changed_on=state.last_changed_on, decided=state.decided)


def _with_change(state: Instalments, event: InstalmentChanged) -> Instalments:
    if isinstance(state, NoPlan):
        return state
    return replace(
        state,
        pending=PendingChange(
            event.change_id, event.amount_cents, event.effective_from, event.changed_on, event.portal_id
        ),
    )


def _with_confirmation(state: Instalments, event: InstalmentConfirmed) -> Instalments:
    if isinstance(state, NoPlan):
        return state
    return replace(
        state,
        amount_cents=event.amount_cents,
        currency=event.currency,
        valid_from=event.effective_from,
        schedule=event.schedule,
        pending=None,
        last_changed_on=state.pending.changed_on if state.pending else state.last_changed_on,
        decided={**state.decided, event.change_id: "confirmed"},
    )


def _with_refusal(state: Instalments, event: InstalmentRefused) -> Instalments:
    if isinstance(state, NoPlan):
        return state
    return replace(state, pending=None, decided={**state.decided, event.change_id: "refused"})
