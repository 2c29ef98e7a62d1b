"""A customer asks when his contract can end, and cancels it; staff confirm or withdraw."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import ZONE, Texts, language_of
from chassis.views import ViewReader
from contracts.billing import (
    Basis,
    CancellationConfirmed,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from contracts.common import Json, Language
from contracts.ids import stream
from services.billing.cancellations.decider import (
    CANCELLATIONS,
    ConfirmCancellation,
    RequestCancellation,
    WithdrawCancellation,
    check_state,
)
from services.billing.cancellations.periods import Period
from services.billing.cancellations.rules import Ending, Ground, ending_on, first_ending
from services.billing.cancellations.state import Cancellation, InCancellation, Terminated
from services.billing.cancellations.views import ContractTerms

Owner = Annotated[Principal, Depends(allow("customer", "staff", "operator"))]
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]
Id = Annotated[str, Path(max_length=100)]
STATUSES = {CancellationConfirmed: "confirmed", CancellationWithdrawn: "withdrawn", ContractTerminated: "terminated"}
GROUNDS: tuple[Ground, ...] = ("ordinary", "moving_out", "price_change")


class CancellationWish(BaseModel):
    """A contract is to end."""

    model_config = ConfigDict(extra="forbid")

    ends_on: date | None = Field(default=None, description="Its last day; when left out, the next possible one")
    ground: Ground = "ordinary"
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = Field(
        default=None, description="A code such as moving or price; what people write is an attribute of the contract"
    )


class Withdrawal(BaseModel):
    """Why a contract goes on after all."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="For the files; without personal data"
    )


class CancellationAnswer(BaseModel):
    """A cancellation as it stands now."""

    cancellation_id: str
    contract_id: str
    status: Literal["requested", "confirmed", "withdrawn", "terminated"]
    ends_on: date = Field(description="The last day of the contract")
    requested_on: date | None
    basis: Basis | None
    notice: str | None = Field(description="ISO 8601, e.g. P1M", examples=["P1M"])


class EndingAnswer(BaseModel):
    """A possible last day of a contract."""

    ends_on: date
    basis: Basis
    notice: str = Field(description="ISO 8601, e.g. P14D", examples=["P14D"])
    explanation: str = Field(description="A sentence for people")


class RefusalAnswer(BaseModel):
    """Why a cancellation would be refused now, in the words of the refusal itself."""

    code: str
    detail: str
    facts: dict[str, Json]


class PreviewAnswer(BaseModel):
    """What a cancellation of today would meet and bring."""

    contract_id: str
    today: date
    next_possible: EndingAnswer | None = Field(description="The first possible end for this ground")
    wished: EndingAnswer | None = Field(description="The first possible end that is not before the wished day")
    refusal: RefusalAnswer | None = Field(description="Null: the cancellation would be accepted today")
    initial_term_ends_on: date | None
    grounds: dict[Ground, EndingAnswer] = Field(description="The first possible end for each ground that there is")
    cancellation: CancellationAnswer | None = Field(description="The one under way, or the one that ended it")


def router(
    streams: Streams, contracts: ViewReader[ContractTerms], *, texts: Texts, fresh: Callable[..., Any]
) -> APIRouter:
    """Cancellations of a contract, and what can be known before."""
    api = APIRouter(prefix="/contracts/{contract_id}", tags=["Cancellations"])

    async def own(contract_id: str, principal: Principal) -> ContractTerms:
        found = await contracts.get(contract_id)
        if found is None or (not principal.is_staff and not _holds(principal, found)):
            raise NotFound
        return found

    def today() -> date:
        return streams.clock().astimezone(ZONE).date()

    @api.get("/cancellation-preview", dependencies=[Depends(fresh)])
    async def preview(
        contract_id: Id,
        principal: Owner,
        request: Request,
        ends_on: Annotated[date | None, Query(description="The wished last day")] = None,
        ground: Ground = "ordinary",
    ) -> PreviewAnswer:
        """The next possible end, by which terms or law, and what a cancellation would be answered."""
        terms = await own(contract_id, principal)
        state = (await streams.load(CANCELLATIONS, contract_id)).state
        shown = _Shown(terms, state, today(), texts, language_of(request.headers.get("accept-language")))
        return shown.preview(ground, ends_on)

    @api.post("/cancellations", status_code=201, dependencies=[Depends(fresh)])
    async def cancel(
        contract_id: Id, body: CancellationWish, principal: Owner, request: CommandRequest, response: Response
    ) -> CancellationAnswer:
        """Cancels to the wished day, or to the next possible one. Staff confirm it, or withdraw it."""
        found = await own(contract_id, principal)
        command = RequestCancellation(
            contract=found.cancellable,
            cancellation_id=str(uuid.uuid4()),
            today=today(),
            wished=body.ends_on,
            ground=body.ground,
            reason=body.reason,
            portal_id=principal.portal_id,
        )
        outcome = await streams.execute(CANCELLATIONS, contract_id, command, request)
        answer(response, outcome)
        requested = next(event for event in outcome.events if isinstance(event, CancellationRequested))
        return _requested(requested)

    @api.post("/cancellations/{cancellation_id}/confirm", dependencies=[Depends(fresh)])
    async def confirm(
        contract_id: Id, cancellation_id: Id, _: Staff, request: CommandRequest, response: Response
    ) -> CancellationAnswer:
        """Makes the end certain; the customer is told. Again it changes nothing."""
        command = ConfirmCancellation(cancellation_id)
        answer(response, await streams.execute(CANCELLATIONS, contract_id, command, request))
        return await _told(streams, contract_id, cancellation_id)

    @api.post("/cancellations/{cancellation_id}/withdraw", dependencies=[Depends(fresh)])
    async def withdraw(
        contract_id: Id,
        cancellation_id: Id,
        body: Withdrawal,
        _: Staff,
        request: CommandRequest,
        response: Response,
    ) -> CancellationAnswer:
        """The contract goes on, also when the cancellation was confirmed."""
        command = WithdrawCancellation(cancellation_id, body.reason)
        answer(response, await streams.execute(CANCELLATIONS, contract_id, command, request))
        return await _told(streams, contract_id, cancellation_id)

    return api


async def _told(streams: Streams, contract_id: str, cancellation_id: str) -> CancellationAnswer:
    """A cancellation as it stands, also one that is over: a repeated request gets its answer from history."""
    found: CancellationAnswer | None = None
    for envelope in await streams.history(stream(CANCELLATIONS.kind, contract_id)):
        match envelope.event:
            case CancellationRequested() as event if event.cancellation_id == cancellation_id:
                found = _requested(event)
            case CancellationConfirmed() | CancellationWithdrawn() | ContractTerminated() as event:
                if found and event.cancellation_id == cancellation_id:
                    found = found.model_copy(update={"status": STATUSES[type(event)]})
            case _:
                pass
    if found is None:
        raise NotFound("cancellation_not_found")
    return found


def _requested(event: CancellationRequested) -> CancellationAnswer:
    return CancellationAnswer(**event.model_dump(include=set(CancellationAnswer.model_fields)), status="requested")


@dataclass(frozen=True)
class _Shown:
    """What a preview is made from."""

    terms: ContractTerms
    state: Cancellation
    today: date
    texts: Texts
    language: Language

    def preview(self, ground: Ground, wished: date | None) -> PreviewAnswer:
        terms = self.terms.cancellable.terms
        grounds = {each: found for each in GROUNDS if (found := self._first(each))}
        refusal: RefusalAnswer | None = None
        try:
            check_state(self.state, self.terms.cancellable.status)
            ending_on(terms, ground, self.today, wished)
        except Rejected as rejected:
            refusal = self._explained(rejected)
        under_way = isinstance(self.state, InCancellation | Terminated)
        return PreviewAnswer(
            contract_id=self.terms.contract.id,
            today=self.today,
            next_possible=grounds.get(ground),
            wished=self._first(ground, wished) if wished else None,
            refusal=refusal,
            initial_term_ends_on=terms.initial_end,
            grounds=grounds,
            cancellation=_as_it_stands(self.terms.contract.id, self.state) if under_way else None,
        )

    def _first(self, ground: Ground, wished: date | None = None) -> EndingAnswer | None:
        try:
            found = first_ending(self.terms.cancellable.terms, ground, self.today, wished)
        except Rejected:
            return None
        return self._told(found) if wished is None or found.ends_on >= wished else None

    def _told(self, ending: Ending) -> EndingAnswer:
        facts = {"notice": say_period(ending.notice, self.texts, self.language), "ends_on": ending.ends_on}
        explanation = self.texts.say(f"ends_by_{ending.basis}", self.language, facts) or ending.basis
        return EndingAnswer(
            ends_on=ending.ends_on, basis=ending.basis, notice=str(ending.notice), explanation=explanation
        )

    def _explained(self, refusal: Rejected) -> RefusalAnswer:
        facts: dict[str, Any] = {n: str(fact) if isinstance(fact, date) else fact for n, fact in refusal.facts.items()}
        detail = self.texts.say(refusal.code, self.language, refusal.facts) or refusal.code
        return RefusalAnswer(code=refusal.code, detail=detail, facts=facts)


def say_period(period: Period, texts: Texts, language: Language) -> str:
    """A period as people say it: 1 Monat, 6 Wochen, 10 days."""
    weeks = period.days // 7 if period.days % 7 == 0 else 0
    units = {"month": period.months, "week": weeks, "day": 0 if weeks else period.days}
    said = [
        texts.say(f"period_{unit}{'' if count == 1 else 's'}", language, {"count": count}) or unit
        for unit, count in units.items()
        if count
    ]
    return " ".join(said) or texts.say("period_none", language) or ""


def _holds(principal: Principal, found: ContractTerms) -> bool:
    return principal.contact_id is not None and principal.contact_id == found.contract.contact_id


def _as_it_stands(contract_id: str, state: Cancellation) -> CancellationAnswer:
    match state:
        case InCancellation():
            return CancellationAnswer(
                cancellation_id=state.cancellation_id,
                contract_id=contract_id,
                status="confirmed" if state.confirmed else "requested",
                ends_on=state.ends_on,
                requested_on=state.requested_on,
                basis=state.basis,
                notice=state.notice,
            )
        case Terminated():
            return CancellationAnswer(
                cancellation_id=state.cancellation_id,
                contract_id=contract_id,
                status="terminated",
                ends_on=state.ends_on,
                requested_on=None,
                basis=None,
                notice=None,
            )
        case _:
            raise NotFound("cancellation_not_found")
