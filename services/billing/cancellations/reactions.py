"""What others cause: submissions that cancel, automations that confirm, and time, which ends a contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import structlog

from chassis.decider import Do
from chassis.errors import Rejected, Unavailable
from chassis.log import Connection
from chassis.reactions import Reaction, caused_by
from chassis.streams import Streams
from chassis.texts import ZONE
from chassis.timers import CancelTimer, DueTimer, SetTimer, Timer
from chassis.views import ViewReader
from contracts.base import Event
from contracts.billing import CancellationConfirmed, CancellationWithdrawn, ContractTerminated
from contracts.envelope import Envelope
from contracts.ids import record_id
from contracts.journeys import CancelContractEffect, JourneySubmitted
from contracts.processes import ActionRequested
from services.billing.cancellations.decider import (
    CANCELLATIONS,
    ConfirmCancellation,
    EndContract,
    RefuseSubmission,
    RequestCancellation,
    Submission,
)
from services.billing.cancellations.rules import special_ground
from services.billing.cancellations.views import ContractTerms
from services.billing.contracts.state import CONTRACT, SupplyContract

LOOKS = 30
LOOK_SECONDS = 0.1

log = structlog.get_logger()
Contracts = Mapping[str, ContractTerms]


def cancel(envelope: Envelope, contracts: Contracts) -> list[Do[Any, Any]]:
    """The commands that a submission's effects ask for: its sender must hold the contract."""
    submitted = envelope.event
    if not isinstance(submitted, JourneySubmitted):
        return []
    commands: list[Do[Any, Any]] = []
    for number, effect in _wanted(submitted):
        submission = Submission(submitted.submission_id, number)
        known = contracts.get(effect.contract_id)
        if known is None or known.contract.contact_id is None or known.contract.contact_id != submitted.contact_id:
            unknown = SupplyContract(id=effect.contract_id, contact_id=submitted.contact_id)
            refuse = RefuseSubmission(unknown, submission, "not_found", submitted.portal_id)
            commands.append(Do(CANCELLATIONS, effect.contract_id, refuse))
            continue
        contract, today = known.cancellable, envelope.time.astimezone(ZONE).date()
        special = effect.extraordinary
        request = RequestCancellation(
            contract=contract,
            cancellation_id=record_id("cancellation", f"{submitted.submission_id}/{number}"),
            today=today,
            wished=effect.ends_on,
            ground=special_ground(contract.terms, today, effect.ends_on) if special else "ordinary",
            portal_id=submitted.portal_id,
            submission=submission,
        )
        commands.append(Do(CANCELLATIONS, effect.contract_id, request))
    return commands


def _wanted(submitted: JourneySubmitted) -> list[tuple[int, CancelContractEffect]]:
    return [(n, effect) for n, effect in enumerate(submitted.effects) if isinstance(effect, CancelContractEffect)]


class SubmissionsHandler:
    """Carries out cancellations that were submitted, with the terms that billing knows."""

    name = "reaction:cancellations"
    events: tuple[type[Event], ...] = (JourneySubmitted,)
    durable = True

    def __init__(
        self, streams: Streams, contracts: ViewReader[ContractTerms], contracts_known: Callable[[], bool]
    ) -> None:
        self._streams = streams
        self._contracts = contracts
        self._contracts_known = contracts_known

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: it keeps no table."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        """Raises Unavailable while the contracts are still being read from their topic."""
        wanted = {
            effect.contract_id
            for envelope in envelopes
            if isinstance(envelope.event, JourneySubmitted)
            for _, effect in _wanted(envelope.event)
        }
        contracts = await self._find(sorted(wanted))
        commands = [
            replace(do, metadata=caused_by(envelope)) for envelope in envelopes for do in cancel(envelope, contracts)
        ]
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("cancellation refused", stream=do.stream, reason=str(result))

    async def _find(self, ids: Sequence[str]) -> Contracts:
        """A contract may be known elsewhere a moment earlier than here: what is missing is waited for, not long."""
        contracts: Contracts = {}
        for look in range(LOOKS):
            contracts = await self._contracts.get_many(ids) if ids else {}
            if len(contracts) == len(ids):
                break
            if not self._contracts_known():
                raise Unavailable("contracts are still being read")
            if look < LOOKS - 1:
                await asyncio.sleep(LOOK_SECONDS)
        return contracts


def confirm(envelope: Envelope) -> Iterable[Do[Any, Any]]:
    """The automation `confirm_cancellation` of a process on a contract: of the submission that started the process."""
    event = envelope.event
    if not isinstance(event, ActionRequested) or event.kind != "confirm_cancellation":
        return []
    if event.record.entity != CONTRACT:
        return []
    return [Do(CANCELLATIONS, event.record.id, ConfirmCancellation(submission_id=event.submission_id))]


CONFIRMATION = Reaction("confirm_cancellation", (ActionRequested,), confirm)


def _last_day_set(envelope: Envelope) -> Iterable[SetTimer | CancelTimer]:
    match envelope.event:
        case CancellationConfirmed() as event:
            over = datetime.combine(event.ends_on + timedelta(days=1), time(), ZONE)
            yield SetTimer(event.contract_id, over, {"cancellation_id": event.cancellation_id})
        case CancellationWithdrawn() | ContractTerminated() as event:
            yield CancelTimer(event.contract_id)


def _last_day_over(timer: DueTimer) -> Iterable[Do[Any, Any]]:
    today = timer.now.astimezone(ZONE).date()
    yield Do(CANCELLATIONS, timer.id, EndContract(timer.payload["cancellation_id"], today))


LAST_DAY = Timer(
    "contract_end", (CancellationConfirmed, CancellationWithdrawn, ContractTerminated), _last_day_set, _last_day_over
)
