"""The read-model API that portal gateways call: a user sees what is his and permitted, staff see everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from chassis.http import conditional
from chassis.views import View, ViewReader
from services.portal.cancellations.views import CANCELLATIONS
from services.portal.configuration.views import PORTALS
from services.portal.definitions.shown import permitted
from services.portal.definitions.views import DEFINITIONS, definitions_for
from services.portal.notices.views import NOTICES
from services.portal.pages.answers import BillingEvent, BillingEventPage, Contract, ContractPage
from services.portal.pages.contract_page import CONTRACT, ContractDetails, ContractPages
from services.portal.pages.me import Me, MePages
from services.portal.pages.queries import billing_events_page, contracts_page
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, CONTRACTS, INSTALMENTS, BillingEventDoc
from services.portal.processes.views import PROCESSES
from services.portal.reading import UNCHANGED, Wanted
from services.portal.requests.views import REQUESTS
from services.portal.users.views import USERS
from services.portal.visitor import Asked, visiting

Fresh = Callable[..., Any]
"""Makes the dependency that lets a request wait until views have the position of its Portico-Position header."""
ContractId = Annotated[str, Path(max_length=100, description="The contract's id, as in the list")]

ME = (PORTALS, DEFINITIONS, CONTACTS, USERS, PROCESSES, NOTICES)
DETAILS = (
    *(PORTALS, DEFINITIONS, CONTRACTS, CONTACTS, INSTALMENTS, BILLING_EVENTS),
    *(CANCELLATIONS, PROCESSES, REQUESTS),
)


@dataclass(frozen=True)
class Pages:
    """What the pages are read from, and the day that it is for the utility."""

    me: MePages
    contract: ContractPages
    billing_events: ViewReader[BillingEventDoc]
    today: Callable[[], date]


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
        dependencies=behind(PORTALS, DEFINITIONS, CONTRACTS),
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
        items = [Contract.of(item, permitted(item.attributes, seen), shape) for item in page.items]
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
        contract = await pages.contract.contract_for(asked, contract_id)
        page, today = await billing_events_page(pages.billing_events, contract.id, pages.today(), wanted)
        items = [BillingEvent.of(item, today) for item in page.items]
        return conditional(request, BillingEventPage(items=items, next=page.next))

    return api
