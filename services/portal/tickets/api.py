"""Launch tickets over HTTP: whoever owns the record and meets the rules now, or has the task, may begin the journey."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chassis.auth import Forbidden
from chassis.conditions import holds
from chassis.database import Pool
from chassis.errors import NotFound, Rejected
from chassis.streams import Clock
from chassis.texts import Texts, language_of
from chassis.tickets import LIFETIME_SECONDS, Ticket, Tickets
from chassis.views import ViewReader
from contracts.common import Language
from contracts.journeys import RecordRef, TaskRef
from contracts.portal import Action
from services.portal.configuration.views import PORTALS, Portals
from services.portal.definitions.views import DEFINITIONS, Definitions, Known, definitions_for
from services.portal.offers.rules import Words, facts_of, is_published, reasons
from services.portal.pages.views import CONTACTS, CONTRACTS, ContactDoc, ContractDoc
from services.portal.processes.queries import find_task
from services.portal.processes.views import PROCESSES
from services.portal.visitor import User, Visitor, visit, visiting

Id = Annotated[str, Field(min_length=1, max_length=100)]


class RecordWanted(BaseModel):
    """The record at whose page the action stands."""

    model_config = ConfigDict(extra="forbid")

    entity: Id
    id: Id


class TaskWanted(BaseModel):
    """The task whose journey is to be opened."""

    model_config = ConfigDict(extra="forbid")

    instance_id: Id
    step_id: Id


class TicketWanted(BaseModel):
    """Either an action with its record, or a task."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "action": "cancel",
                "record": {"entity": "contract", "id": "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11"},
            }
        },
    )

    action: Id | None = None
    record: RecordWanted | None = None
    task: TaskWanted | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> TicketWanted:
        has_action = self.action is not None and self.record is not None
        if has_action == (self.task is not None) or (self.action is None) != (self.record is None):
            raise ValueError("name either action and record, or task")
        return self


class Issued(BaseModel):
    """What journeys takes to begin the journey; good until it expires."""

    ticket: str
    journey_id: str
    expires_at: datetime


@dataclass(frozen=True)
class Desk:
    """What tickets are decided on."""

    pool: Pool
    portals: Portals
    definitions: Definitions
    contracts: ViewReader[ContractDoc]
    contacts: ViewReader[ContactDoc]
    tickets: Tickets
    clock: Clock
    texts: Texts

    async def for_action(self, visitor: Visitor, action_id: str, record: RecordWanted, language: Language) -> Ticket:
        """Raises NotFound for actions and records that are not his, Forbidden when the rules do not hold now."""
        contact_id = visitor.visit.assigned()
        action = next((each for each in visitor.actions() if each.id == action_id), None)
        if action is None:
            raise NotFound("action_not_found")
        known, (facts, seen) = await asyncio.gather(
            definitions_for(self.definitions, record.entity, "contact"), self._facts(visitor, contact_id, record)
        )
        if action.place != record.entity or not holds(action.when, facts, self.clock()):
            visible = {entity: visitor.seen(known.shape(entity)) for entity in seen}
            raise self._refused(action, facts, known, visible, language)
        if not is_published(known.journeys, action):
            raise Rejected("journey_not_available")
        return Ticket(
            subject=visitor.visit.principal.subject,
            portal_id=visitor.portal_id,
            journey_id=action.journey,
            contact_id=contact_id,
            action=action.id,
            context=RecordRef(entity=record.entity, id=record.id),
        )

    async def for_task(self, visitor: Visitor, wanted: TaskWanted) -> Ticket:
        """Raises NotFound for tasks that are not his, Rejected for those with nothing to open."""
        contact_id = visitor.visit.assigned()
        task = await find_task(self.pool, contact_id, wanted.instance_id, wanted.step_id)
        if task is None:
            raise NotFound("task_not_found")
        process, step = task.found.process, task.step
        if not process.is_open(step):
            raise Rejected("task_not_open")
        if step.journey is None:
            raise Rejected("task_without_journey")
        journey = (await definitions_for(self.definitions)).journeys.get(step.journey)
        if journey is None or journey.withdrawn:
            raise Rejected("journey_not_available")
        return Ticket(
            subject=visitor.visit.principal.subject,
            portal_id=visitor.portal_id,
            journey_id=step.journey,
            contact_id=contact_id,
            context=process.record,
            task=TaskRef(instance_id=process.instance_id, step_id=step.id),
        )

    async def _facts(
        self, visitor: Visitor, contact_id: str, record: RecordWanted
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What rules can ask for, and of which entities. Raises NotFound when the record is not the visitor's."""
        if record.entity == "contact":
            if record.id != contact_id:
                raise NotFound("record_not_found")
            return facts_of(await self.contacts.get(contact_id)), ("contact",)
        contract = await self.contracts.get(record.id) if record.entity == "contract" else None
        if contract is None or not contract.belongs_to(contact_id, visitor.audience):
            raise NotFound("record_not_found")
        persons = await self.contacts.get_many(sorted({contact_id, contract.person_id or contact_id}))
        values = contract.values(persons.get(contract.person_id or contact_id))
        return facts_of(persons.get(contact_id), contract=values), ("contact", "contract")

    def _refused(
        self,
        action: Action,
        facts: dict[str, Any],
        known: Known,
        seen: dict[str, frozenset[str] | None],
        language: Language,
    ) -> Forbidden:
        told = reasons(action, facts, self.clock(), Words(known.shapes, seen, self.texts, language))
        title = action.title.de if language == "de" else action.title.en
        return Forbidden("action_not_available", action=action.id, title=title, reasons=" ".join(told))


def router(desk: Desk, fresh: Callable[..., Any]) -> APIRouter:
    """The one route of tickets."""
    api = APIRouter(
        tags=["tickets"], dependencies=[Depends(fresh(PORTALS, CONTRACTS, CONTACTS, PROCESSES, DEFINITIONS))]
    )

    @api.post("/tickets", status_code=201, summary="A ticket with which a journey can be begun")
    async def issue_ticket(request: Request, principal: User, wanted: Annotated[TicketWanted, Body()]) -> Issued:
        """By an action of the portal and its record, or by an open task of the user."""
        visitor = await visiting(desk.portals, visit(principal))
        if wanted.task is not None:
            ticket = await desk.for_task(visitor, wanted.task)
        else:
            assert wanted.action is not None  # noqa: S101 the model has seen to both
            assert wanted.record is not None  # noqa: S101
            language = language_of(request.headers.get("accept-language"))
            ticket = await desk.for_action(visitor, wanted.action, wanted.record, language)
        expires_at = datetime.fromtimestamp(int(time.time()) + LIFETIME_SECONDS, UTC)
        return Issued(ticket=desk.tickets.issue(ticket), journey_id=ticket.journey_id, expires_at=expires_at)

    return api
