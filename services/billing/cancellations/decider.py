"""How a contract comes to its end: asked for, confirmed or withdrawn by staff, over when its last day is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.billing import (
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from services.billing.cancellations.rules import Ground, ending_on
from services.billing.cancellations.state import (
    CancellableContract,
    Cancellation,
    InCancellation,
    Terminated,
    Untouched,
    evolve,
)
from services.billing.contracts.state import SupplyContract

CANCELLABLE = {"active", None}
"""Statuses of a record under which a contract can be cancelled; a record may have none."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An effect of a submission: it is answered by an event also when it is refused."""

    submission_id: str
    effect: int


@dataclass(frozen=True, slots=True)
class RequestCancellation:
    """Somebody cancels a contract, to the wished day or to the next possible one."""

    contract: CancellableContract
    cancellation_id: str
    today: date
    wished: date | None = None
    ground: Ground = "ordinary"
    reason: str | None = None
    portal_id: str | None = None
    submission: Submission | None = None


@dataclass(frozen=True, slots=True)
class RefuseSubmission:
    """A submission asks for what its sender may not cancel, or for what does not exist."""

    contract: SupplyContract
    submission: Submission
    code: str
    portal_id: str | None


@dataclass(frozen=True, slots=True)
class ConfirmCancellation:
    """The end is certain. Named by its id, or by the submission that asked for it; else the one under way is meant."""

    cancellation_id: str | None = None
    submission_id: str | None = None


@dataclass(frozen=True, slots=True)
class WithdrawCancellation:
    """The contract goes on after all."""

    cancellation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class EndContract:
    """The last day is over, if it is."""

    cancellation_id: str
    today: date


Command = RequestCancellation | RefuseSubmission | ConfirmCancellation | WithdrawCancellation | EndContract


def decide(command: Command, state: Cancellation) -> list[Event]:
    """What follows from a command, or Rejected."""
    match command:
        case RequestCancellation():
            return _requested(command, state)
        case RefuseSubmission():
            return [_refused(command.contract, command.submission, command.code, command.portal_id)]
        case ConfirmCancellation():
            return _confirmed(command, state)
        case WithdrawCancellation():
            return _withdrawn(command, state)
        case EndContract():
            return _ended(command, state)
        case _:
            assert_never(command)


def _requested(command: RequestCancellation, state: Cancellation) -> list[Event]:
    """A submission is answered in any case; the same request again says nothing new."""
    if isinstance(state, InCancellation | Terminated) and state.cancellation_id == command.cancellation_id:
        return []
    contract, submission = command.contract.contract, command.submission
    try:
        check_state(state, command.contract.status)
        ending = ending_on(command.contract.terms, command.ground, command.today, command.wished)
    except Rejected as rejected:
        if submission is None:
            raise
        return [_refused(contract, submission, rejected.code, command.portal_id)]
    return [
        CancellationRequested(
            **contract.named(),
            cancellation_id=command.cancellation_id,
            requested_on=command.today,
            ends_on=ending.ends_on,
            basis=ending.basis,
            notice=str(ending.notice),
            reason=command.reason,
            submission_id=submission.submission_id if submission else None,
            effect=submission.effect if submission else None,
            portal_id=command.portal_id,
        )
    ]


def check_state(state: Cancellation, status: str | None) -> None:
    """Raises Rejected when a contract cannot be cancelled, whatever the day."""
    match state:
        case InCancellation():
            facts = {"cancellation_id": state.cancellation_id, "ends_on": state.ends_on}
            raise Rejected("already_in_cancellation", **facts)
        case Terminated():
            raise Rejected("contract_terminated", ends_on=state.ends_on)
        case Untouched() if status not in CANCELLABLE:
            raise Rejected("contract_not_active", status=status)


def _confirmed(command: ConfirmCancellation, state: Cancellation) -> list[Event]:
    """Nothing new when it was confirmed before."""
    if isinstance(state, Terminated) and command.cancellation_id in {None, state.cancellation_id}:
        return []
    current = _current(command.cancellation_id, state)
    if command.submission_id not in {None, current.submission_id}:
        raise NotFound("cancellation_not_found")
    if current.confirmed:
        return []
    return [
        CancellationConfirmed(
            **current.contract.named(),
            cancellation_id=current.cancellation_id,
            ends_on=current.ends_on,
            portal_id=current.portal_id,
        )
    ]


def _withdrawn(command: WithdrawCancellation, state: Cancellation) -> list[Event]:
    if isinstance(state, Terminated):
        raise Rejected("contract_terminated", ends_on=state.ends_on)
    current = _current(command.cancellation_id, state)
    return [
        CancellationWithdrawn(
            **current.contract.named(),
            cancellation_id=current.cancellation_id,
            reason=command.reason,
            portal_id=current.portal_id,
        )
    ]


def _ended(command: EndContract, state: Cancellation) -> list[Event]:
    """Nothing when the cancellation is another by now, not confirmed, or its last day is not over."""
    if not isinstance(state, InCancellation) or state.cancellation_id != command.cancellation_id:
        return []
    if not state.confirmed or command.today <= state.ends_on:
        return []
    return [ContractTerminated(**state.contract.named(), cancellation_id=state.cancellation_id, ends_on=state.ends_on)]


def _current(cancellation_id: str | None, state: Cancellation) -> InCancellation:
    if not isinstance(state, InCancellation) or cancellation_id not in {None, state.cancellation_id}:
        raise NotFound("cancellation_not_found")
    return state


def _refused(contract: SupplyContract, submission: Submission, code: str, portal_id: str | None) -> CancellationRefused:
    return CancellationRefused(
        **contract.named(),
        submission_id=submission.submission_id,
        effect=submission.effect,
        code=code,
        portal_id=portal_id,
    )


CANCELLATIONS: Decider[Command, Cancellation] = Decider("cancellation", Untouched(), decide, evolve)
