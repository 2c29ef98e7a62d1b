"""The read-model API that portal gateways call: a user sees what is his and permitted, staff see everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from chassis.http import conditional
from chassis.views import View
from services.portal.cancellations.views import CANCELLATIONS
from services.portal.configuration.views import PORTALS
from services.portal.definitions.shown import permitted
from services.portal.definitions.views import DEFINITIONS, definitions_for
from services.portal.notices.views import NOTICES
from services.portal.pages.answers import (
    Balance,
    BillingEvent,
    BillingEventOfContract,
    BillingEventPage,
    BillingEventsOfContracts,
    Contract,
    ContractPage,
    ListedContract,
    NextPayment,
    coming,
)
from services.portal.pages.contract_page import CONTRACT, ContractDetails, ContractPages
from services.portal.pages.me import Me, MePages
from services.portal.pages.queries import MOST_CONTRACTS, Wish, billing_events_page, contracts_of, contracts_page
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, CONTRACTS, INSTALMENTS
from services.portal.processes.views import PROCESSES
from services.portal.reading import UNCHANGED, Wanted
from services.portal.requests.views import REQUESTS
from services.portal.users.views import USERS
from services.portal.visitor import Asked, paying, visiting

Fresh = Callable[..., Any]
"""Makes the dependency that lets a request wait until views have the position of its Portico-Position header."""
ContractId = Annotated[str, Path(max_length=100, description="The contract's id, as in the list")]
OpenOrClosed = Annotated[Wish | None, Query(description="Only those that are open, or those that are closed")]

ME = (PORTALS, DEFINITIONS, CONTACTS, USERS, PROCESSES, NOTICES)
DETAILS = (
    *(PORTALS, DEFINITIONS, CONTRACTS, CONTACTS, INSTALMENTS, BILLING_EVENTS),
    *(CANCELLATIONS, PROCESSES, REQUESTS),
)


@dataclass(frozen=True)
class Pages:
    """What the pages are read from."""

    me: MePages
    contract: ContractPages


def router(pages: Pages, fresh: Fresh) -> APIRouter:
    """The routes; every read honours If-None-Match and Portico-Position."""
    api = APIRouter(tags=["pages"], responses=UNCHANGED)

    def behind(*views: View[Any]) -> list[Any]:
        return [Depends(fresh(*views))]

    @api.get("/me", response_model=Me, dependencies=behind(*ME), summary="Who is signed in, and what waits for him")
    async def me(request: Request, asked: Asked) -> Response:
        return conditional(request, await pages.me.read(asked))

    @api.get(
        "/contracts",
        response_model=ContractPage,
        dependencies=behind(PORTALS, DEFINITIONS, CONTRACTS, INSTALMENTS, BILLING_EVENTS),
        summary="Contracts by number",
    )
    async def list_contracts(
        request: Request,
        asked: Asked,
        wanted: Wanted,
    ) -> Response:
        visitor, known = await asyncio.gather(
            visiting(pages.contract.portals, asked), definitions_for(pages.contract.definitions, CONTRACT)
        )
        if asked.waits:
            return conditional(request, ContractPage(items=[], next=None))
        shape = known.shape(CONTRACT)
        seen = visitor.seen(shape)
        page = await contracts_page(pages.contract.contracts, visitor.contact_id, visitor.audience, wanted)
        ids = [item.id for item in page.items]
        plans, sums = await asyncio.gather(pages.contract.instalments.get_many(ids), pages.contract.open_sums.of(*ids))
        items = []
        for item in page.items:
            plan = plans[item.id].plan if item.id in plans and visitor.sees_money else None
            items.append(
                ListedContract(
                    **dict(Contract.of(item, permitted(item.attributes, seen), shape)),
                    balance=Balance.of(sums.get(item.id, {}), plan) if visitor.sees_money else None,
                    next_payment=NextPayment.of(plan, coming(plan, pages.contract.today(), item.last_day)),
                )
            )
        return conditional(request, ContractPage(items=items, next=page.next))

    @api.get(
        "/contracts/{contract_id}",
        response_model=ContractDetails,
        dependencies=behind(*DETAILS),
        summary="A contract with all that belongs to it, and what may be done now",
    )
    async def get_contract(
        request: Request,
        asked: Asked,
        contract_id: ContractId,
    ) -> Response:
        return conditional(request, await pages.contract.read(asked, contract_id))

    @api.get(
        "/contracts/{contract_id}/billing-events",
        response_model=BillingEventPage,
        dependencies=behind(PORTALS, CONTRACTS, BILLING_EVENTS),
        summary="Billing events of a contract, overdue ones first",
    )
    async def list_billing_events(
        request: Request,
        asked: Asked,
        contract_id: ContractId,
        wanted: Wanted,
    ) -> Response:
        contract = await pages.contract.paid_contract(asked, contract_id)
        found = billing_events_page(pages.contract.billing_events, [contract.id], pages.contract.today(), wanted)
        page, today = await found
        items = [BillingEvent.of(item, today) for item in page.items]
        return conditional(request, BillingEventPage(items=items, next=page.next))

    @api.get(
        "/billing-events",
        response_model=BillingEventsOfContracts,
        dependencies=behind(PORTALS, CONTRACTS, BILLING_EVENTS),
        summary="Billing events of all contracts, overdue ones first",
        description=f"Of the contact's first {MOST_CONTRACTS} contracts by number.",
    )
    async def list_all_billing_events(
        request: Request,
        asked: Asked,
        wanted: Wanted,
        status: OpenOrClosed = None,
    ) -> Response:
        visitor = await paying(pages.contract.portals, asked)
        if asked.waits:
            return conditional(request, BillingEventsOfContracts(items=[], next=None))
        contracts = await contracts_of(pages.contract.contracts, asked.assigned(), visitor.audience)
        found = billing_events_page(
            pages.contract.billing_events, list(contracts), pages.contract.today(), wanted, status
        )
        page, today = await found
        items = [BillingEventOfContract.about(item, contracts[item.contract_id].number, today) for item in page.items]
        return conditional(request, BillingEventsOfContracts(items=items, next=page.next))

    return api
