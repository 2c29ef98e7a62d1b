"""A customer asks what he may change, and changes it; or a member of staff does it for him."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import ZONE, Texts, language_of
from chassis.views import ViewReader
from contracts.billing import InstalmentChanged, Schedule
from contracts.common import Cents, Currency, Json, Language
from contracts.portal import InstalmentSettings
from services.billing.contracts.state import SupplyContract
from services.billing.instalments.decider import DECIDER, ChangeInstalment
from services.billing.instalments.rules import Preview, preview
from services.billing.instalments.state import Instalments, NoPlan

FindRules = Callable[[str | None], Awaitable[InstalmentSettings]]
IsOverdue = Callable[[str, date], Awaitable[bool]]
Owner = Annotated[Principal, Depends(allow("customer", "staff", "operator"))]


class ChangeRequest(BaseModel):
    """Another amount for the instalments of a contract."""

    model_config = ConfigDict(extra="forbid")

    amount_cents: Annotated[Cents, Field(ge=0, strict=True)]
    currency: Currency | None = Field(default=None, description="Where given, it must be that of the plan")


class ChangeRequested(BaseModel):
    """The change is on its way to the ERP, which confirms or refuses it."""

    change_id: str
    status: Literal["requested"] = "requested"
    contract_id: str
    from_cents: int
    amount_cents: int
    currency: str
    changed_on: date
    effective_from: date


class PendingAnswer(BaseModel):
    """A change that the ERP has not decided yet."""

    change_id: str
    amount_cents: int
    effective_from: date
    changed_on: date


class RefusalAnswer(BaseModel):
    """Why a change would be refused now, in the words of the refusal itself."""

    code: str
    detail: str
    facts: dict[str, Json]


class PreviewAnswer(BaseModel):
    """What a change would meet and bring. Everything about a plan is null while there is none."""

    amount_cents: int | None = Field(description="In force now")
    currency: str | None
    lower_limit_cents: int | None
    upper_limit_cents: int | None = Field(description="Null: no upper limit")
    possible_on: date | None = Field(description="The first day on which the calendar allows a change")
    effective_from: date | None = Field(description="The first due date with the new amount, if changed on that day")
    refusal: RefusalAnswer | None = Field(description="Null: the change would be accepted today")
    pending: PendingAnswer | None
    schedule: Schedule = Field(description="With the amount asked about; without one, as it is")


def router(
    streams: Streams,
    contracts: ViewReader[SupplyContract],
    *,
    rules: FindRules,
    is_overdue: IsOverdue,
    texts: Texts,
    fresh: Callable[..., Any],
) -> APIRouter:
    """Changes of instalments and what can be known before."""
    api = APIRouter(prefix="/contracts/{contract_id}", tags=["Instalments"])

    async def own(contract_id: str, principal: Principal) -> SupplyContract:
        contract = await contracts.get(contract_id)
        if contract is None or (not principal.is_staff and not _holds(principal, contract)):
            raise NotFound
        return contract

    def today() -> date:
        return streams.clock().astimezone(ZONE).date()

    @api.post("/instalment-changes", status_code=202, dependencies=[Depends(fresh)])
    async def change(
        contract_id: str, body: ChangeRequest, principal: Owner, request: CommandRequest, response: Response
    ) -> ChangeRequested:
        """Asks for another amount inside the limits of the portal."""
        contract, portal_rules, overdue = await asyncio.gather(
            own(contract_id, principal), rules(principal.portal_id), is_overdue(contract_id, today())
        )
        command = ChangeInstalment(
            contract=contract,
            change_id=str(uuid.uuid4()),
            amount_cents=body.amount_cents,
            today=today(),
            rules=portal_rules.rules_for(contract.division),
            overdue=overdue,
            portal_id=principal.portal_id,
            currency=body.currency,
        )
        outcome = await streams.execute(DECIDER, contract.id, command, request)
        answer(response, outcome)
        changed = next(event for event in outcome.events if isinstance(event, InstalmentChanged))
        return ChangeRequested.model_validate(changed, from_attributes=True)

    @api.get("/instalment-preview", dependencies=[Depends(fresh)])
    async def instalment_preview(
        contract_id: str,
        principal: Owner,
        request: Request,
        amount_cents: Annotated[int | None, Query(ge=0, le=2**53, description="The amount to try")] = None,
    ) -> PreviewAnswer:
        """Limits, dates, what would be refused and why, and the schedule that would follow."""
        contract, portal_rules, overdue, loaded = await asyncio.gather(
            own(contract_id, principal),
            rules(principal.portal_id),
            is_overdue(contract_id, today()),
            streams.load(DECIDER, contract_id),
        )
        found = preview(loaded.state, portal_rules.rules_for(contract.division), today(), overdue, amount_cents)
        return _shown(loaded.state, found, texts, language_of(request.headers.get("accept-language")))

    return api


def _holds(principal: Principal, contract: SupplyContract) -> bool:
    return principal.contact_id is not None and principal.contact_id == contract.contact_id


def _shown(plan: Instalments, found: Preview, texts: Texts, language: Language) -> PreviewAnswer:
    known = None if isinstance(plan, NoPlan) else plan
    pending = known.pending if known else None
    return PreviewAnswer(
        amount_cents=known.amount_cents if known else None,
        currency=known.currency if known else None,
        lower_limit_cents=found.limits.lower_cents if found.limits else None,
        upper_limit_cents=found.limits.upper_cents if found.limits else None,
        possible_on=found.opening.possible_on if found.opening else None,
        effective_from=found.opening.effective_from if found.opening else None,
        refusal=_explained(found.refusal, texts, language) if found.refusal else None,
        pending=PendingAnswer.model_validate(pending, from_attributes=True) if pending else None,
        schedule=found.schedule,
    )


def _explained(refusal: Rejected, texts: Texts, language: Language) -> RefusalAnswer:
    facts: dict[str, Any] = {n: str(fact) if isinstance(fact, date) else fact for n, fact in refusal.facts.items()}
    detail = texts.say(refusal.code, language, refusal.facts) or refusal.code
    return RefusalAnswer(code=refusal.code, detail=detail, facts=facts)
