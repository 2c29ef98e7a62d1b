"""The page of one contract: everything that belongs together, asked for at once and joined by what may be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pydantic import Field

from chassis.errors import NotFound
from chassis.streams import Clock
from chassis.texts import Texts
from chassis.views import ViewReader
from contracts.common import Instalment
from services.portal.cancellations.answers import CancellationState, cancellation_answer
from services.portal.cancellations.views import CancellationDoc
from services.portal.configuration.views import Portals
from services.portal.definitions.shown import ShownGroup, groups, permitted
from services.portal.definitions.views import Definitions, definitions_for
from services.portal.offers.rules import OfferedAction, OfferedLink, actions_at, facts_of, links_at
from services.portal.pages.answers import Answer, Balance, BillingEvent, Contract, Delivery, NextPayment, coming
from services.portal.pages.queries import FirstBillingEvents, OpenSums
from services.portal.pages.views import BillingEventDoc, ContactDoc, ContractDoc, InstalmentsDoc
from services.portal.processes.answers import Process, process_answer
from services.portal.processes.queries import Found, ProcessesOfRecords
from services.portal.requests.answers import ShownFile, files_answer
from services.portal.requests.queries import FilesOfRecords
from services.portal.visitor import Visit, Visitor, paying, portal_of

CONTRACT = "contract"
SHOWN_BILLING_EVENTS = 5


class ContractDetails(Answer):
    """All that the page of one contract shows."""

    contract: Contract
    delivery: Delivery | None
    balance: Balance | None = Field(description="Null for installers, who are told nothing of payments")
    next_payment: NextPayment | None
    billing_events: list[BillingEvent] = Field(
        description=f"The first {SHOWN_BILLING_EVENTS}: what is overdue, then the others, each by falling due date"
    )
    instalments: InstalmentsDoc = Field(
        description="The plan in force with its schedule; beside it what waits for the ERP, and what it decided last"
    )
    coming_instalments: list[Instalment] = Field(
        description="What of the schedule falls due today or later; behind the end of a contract nothing does"
    )
    groups: list[ShownGroup] = Field(description="What users of the portal may see of it, as its schema groups it")
    cancellation: CancellationState | None
    processes: list[Process] = Field(description="The newest first, at most 20")
    actions: list[OfferedAction] = Field(description="What may be begun here now")
    links: list[OfferedLink] = Field(description="Links of this page and of every page that are shown now")
    documents: list[ShownFile] = Field(description="Files that the reader has sent about it, the newest first")


@dataclass(frozen=True)
class ContractPages:
    """The read models behind the page."""

    portals: Portals
    definitions: Definitions
    contracts: ViewReader[ContractDoc]
    contacts: ViewReader[ContactDoc]
    instalments: ViewReader[InstalmentsDoc]
    cancellations: ViewReader[CancellationDoc]
    billing_events: ViewReader[BillingEventDoc]
    first_billing_events: FirstBillingEvents
    open_sums: OpenSums
    processes: ProcessesOfRecords
    files: FilesOfRecords
    clock: Clock
    today: Callable[[], date]
    texts: Texts

    async def read(self, visited: Visit, contract_id: str) -> ContractDetails:
        """Raises NotFound for contracts that are not the visitor's, Forbidden when the portal is switched off."""
        owner = "" if visited.sees_all and visited.contact_id is None else visited.assigned()
        documents = asyncio.gather(
            portal_of(self.portals, visited),
            definitions_for(self.definitions, CONTRACT),
            self.contracts.get(contract_id),
            self.instalments.get(contract_id),
            self.cancellations.get(contract_id),
            self.contacts.get_many([owner]),
        )
        lists = asyncio.gather(
            self.open_sums.of(contract_id),
            self.processes.of(contract_id),
            self.files.of(owner, contract_id),
            self.first_billing_events.of(contract_id),
        )
        (
            (found, known, contract, instalments, cancellation, persons),
            (sums, processes, files, events),
        ) = await asyncio.gather(documents, lists)
        visitor = Visitor.of(visited, found)
        if contract is None or (owner and not contract.belongs_to(owner, visitor.audience)):
            raise NotFound("contract_not_found")
        if contract.person_id not in {None, owner}:
            persons |= await self.contacts.get_many([contract.person_id or ""])
        shape = known.shape(CONTRACT)
        seen = visitor.seen(shape)
        values = contract.values(persons.get(contract.person_id or ""))
        shown = permitted(values, seen)
        facts = facts_of(persons.get(owner or contract.holder or ""), contract=values)
        now, today, paid = self.clock(), self.today(), visitor.sees_money
        plan = instalments.plan if instalments and paid else None
        to_come = coming(plan, today, contract.last_day, cancellation.last_day if cancellation else None)
        return ContractDetails(
            contract=Contract.of(contract, shown, shape),
            delivery=Delivery.of(shown),
            balance=Balance.of(sums.get(contract_id, {}), plan) if paid else None,
            next_payment=NextPayment.of(plan, to_come),
            billing_events=[BillingEvent.of(event, today) for event in events] if paid else [],
            instalments=instalments if instalments and paid else InstalmentsDoc(),
            coming_instalments=to_come,
            groups=groups(shape, values, seen, visitor.changeable(shape)),
            cancellation=cancellation_answer(cancellation, seen, self.texts),
            processes=[process_answer(Found(process, contract.number), visitor) for process in processes],
            actions=actions_at(CONTRACT, visitor.portal, known.journeys, facts, now),
            links=links_at(CONTRACT, visitor.portal, known.journeys, facts, now),
            documents=files_answer(files, known.journeys),
        )

    async def paid_contract(self, visited: Visit, contract_id: str) -> ContractDoc:
        """A contract of whose payments the visitor may know; those of others do not exist for him.

        Raises as `read` does, and Forbidden for installers.
        """
        owner = None if visited.sees_all and visited.contact_id is None else visited.assigned()
        visitor, contract = await asyncio.gather(paying(self.portals, visited), self.contracts.get(contract_id))
        if contract is None or (owner and not contract.belongs_to(owner, visitor.audience)):
            raise NotFound("contract_not_found")
        return contract
