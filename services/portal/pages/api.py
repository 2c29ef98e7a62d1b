"""The read-model API that portal gateways call: a customer sees what is his, staff see everybody's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from chassis.auth import Forbidden, Principal, allow
from chassis.errors import NotFound
from chassis.http import conditional
from chassis.views import View, ViewReader
from services.portal.pages.answers import (
    Balance,
    BillingEvent,
    BillingEventPage,
    Contact,
    Contract,
    ContractDetails,
    ContractPage,
    Delivery,
    Me,
)
from services.portal.pages.queries import DEFAULT_CURRENCY, billing_events_page, contracts_page, open_sums
from services.portal.pages.views import (
    BILLING_EVENTS,
    CONTACTS,
    CONTRACTS,
    INSTALMENTS,
    BillingEventDoc,
    ContactDoc,
    ContractDoc,
    InstalmentsDoc,
    contact_of,
)

Fresh = Callable[..., Callable[..., Awaitable[None]]]
"""Makes the dependency that lets a request wait until views have the position of its Portico-Position header."""

Reader = Annotated[Principal, Depends(allow("customer", "staff"))]
ContractId = Annotated[str, Path(description="The contract's id, as in the list")]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of the page")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`next` of the page before")]
ContactId = Annotated[str | None, Query(max_length=100, description="For staff: only the contracts of this contact")]

UNCHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Send it as If-None-Match", "schema": {"type": "string"}}}},
    304: {"description": "Unchanged since the answer with the ETag in If-None-Match"},
}


@dataclass(frozen=True)
class Pages:
    """The read models, and the day that it is for the utility."""

    contracts: ViewReader[ContractDoc]
    contacts: ViewReader[ContactDoc]
    instalments: ViewReader[InstalmentsDoc]
    billing_events: ViewReader[BillingEventDoc]
    today: Callable[[], date]

    async def contract_for(self, principal: Principal, contract_id: str) -> ContractDoc:
        """A contract that this user may see; those of others do not exist for him."""
        contract = await self.contracts.get(contract_id)
        if contract is None or not (principal.role == "staff" or principal.contact_id in {contract.holder} - {None}):
            raise NotFound("contract_not_found")
        return contract

    async def details(self, contract: ContractDoc) -> ContractDetails:
        instalments = await self.instalments.get(contract.id) or InstalmentsDoc()
        currency = instalments.plan.currency if instalments.plan else DEFAULT_CURRENCY
        sums = await open_sums(self.billing_events, contract.id, currency, self.today())
        contact_id = contact_of(contract.person)
        person = await self.contacts.get(contact_id) if contact_id else None
        return ContractDetails(
            contract=Contract.of(contract),
            delivery=Delivery.of(person.personal.get(contract.id, {})) if person else None,
            balance=Balance.of(sums, currency),
            instalments=instalments,
        )


def router(pages: Pages, fresh: Fresh) -> APIRouter:
    """The routes; every read honours If-None-Match and Portico-Position."""
    api = APIRouter(tags=["pages"], responses=UNCHANGED)

    def behind(*views: View[Any]) -> list[Any]:
        return [Depends(fresh(*views))]

    @api.get("/me", response_model=Me, dependencies=behind(CONTACTS), summary="Who is signed in")
    async def me(request: Request, principal: Reader) -> Response:
        contact = await pages.contacts.get(principal.contact_id) if principal.contact_id else None
        known = contact is not None and (contact.known or contact.erased)
        return conditional(
            request,
            Me(
                subject=principal.subject,
                role=principal.role,
                portal_id=principal.portal_id,
                actor=principal.actor,
                contact=Contact.of(contact) if contact and known else None,
            ),
        )

    @api.get("/contracts", response_model=ContractPage, dependencies=behind(CONTRACTS), summary="Contracts by number")
    async def list_contracts(
        request: Request,
        principal: Reader,
        contact_id: ContactId = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        if principal.role == "customer":
            if contact_id not in {None, principal.contact_id}:
                raise Forbidden(role=principal.role)
            if principal.contact_id is None:
                return conditional(request, ContractPage(items=[], next=None))
            contact_id = principal.contact_id
        page = await contracts_page(pages.contracts, contact_id, cursor, limit)
        return conditional(request, ContractPage(items=[Contract.of(item) for item in page.items], next=page.next))

    @api.get(
        "/contracts/{contract_id}",
        response_model=ContractDetails,
        dependencies=behind(CONTRACTS, CONTACTS, INSTALMENTS, BILLING_EVENTS),
        summary="A contract with balance and instalments",
    )
    async def get_contract(request: Request, principal: Reader, contract_id: ContractId) -> Response:
        contract = await pages.contract_for(principal, contract_id)
        return conditional(request, await pages.details(contract))

    @api.get(
        "/contracts/{contract_id}/billing-events",
        response_model=BillingEventPage,
        dependencies=behind(CONTRACTS, BILLING_EVENTS),
        summary="Billing events of a contract, overdue ones first",
    )
    async def list_billing_events(
        request: Request, principal: Reader, contract_id: ContractId, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        contract = await pages.contract_for(principal, contract_id)
        page, today = await billing_events_page(pages.billing_events, contract.id, pages.today(), cursor, limit)
        items = [BillingEvent.of(item, today) for item in page.items]
        return conditional(request, BillingEventPage(items=items, next=page.next))

    return api
