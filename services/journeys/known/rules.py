"""Whether a journey may be begun or sent now: asked again of what is known, whatever a ticket said hours ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.conditions import holds
from chassis.errors import Rejected
from chassis.views import ViewReader
from contracts.common import Json
from contracts.ids import stream
from contracts.journeys import RecordRef, TaskRef
from services.journeys.known.views import PortalDoc, RecordDoc, TasksDoc

CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a submission comes from: the portal, who sends it, and by which action or task."""

    journey_id: str
    portal_id: str
    contact_id: str | None
    context: RecordRef | None
    action: str | None
    task: TaskRef | None


@dataclass(frozen=True, slots=True)
class Known:
    """The records of a submission as conditions see them, and those that belong to its sender."""

    records: Mapping[str, Mapping[str, Json]]
    context: RecordDoc | None


@dataclass(frozen=True)
class Rules:
    """Looks into the views."""

    portals: ViewReader[PortalDoc]
    records: ViewReader[RecordDoc]
    tasks: ViewReader[TasksDoc]

    async def known(self, context: RecordRef | None, contact_id: str | None) -> Known:
        """Attributes by `context`, the entity of the context, and `contact`: the one who sends."""
        names = {name: stream(ref.entity, ref.id) for name, ref in _refs(context, contact_id).items()}
        found = await self.records.get_many(sorted(set(names.values()))) if names else {}
        values = {name: found[key].values if key in found else {} for name, key in names.items()}
        return Known(values, found.get(names["context"]) if context else None)

    async def check_portal(self, portal_id: str) -> PortalDoc:
        """Raises Rejected when there is no such portal, or it is switched off."""
        portal = await self.portals.get(portal_id)
        if portal is None or not portal.enabled:
            raise Rejected("portal_not_available")
        return portal

    async def check(self, origin: Origin, known: Known, now: datetime) -> None:
        """Raises Rejected (`portal_not_available`, `rule_not_met`, `task_not_open`) for what is not allowed now."""
        portal = await self.check_portal(origin.portal_id)
        if origin.task is not None:
            await self._check_task(origin, origin.task)
        elif origin.context is not None and not _belongs(known.context, origin.context, origin.contact_id):
            raise Rejected("rule_not_met")
        if origin.action is not None:
            action = next((each for each in portal.actions if each.id == origin.action), None)
            if action is None or action.journey != origin.journey_id:
                raise Rejected("rule_not_met")
            if not holds(action.when, known.records, now):
                raise Rejected("rule_not_met")

    async def _check_task(self, origin: Origin, ref: TaskRef) -> None:
        tasks = await self.tasks.get(ref.instance_id)
        task = tasks.open.get(ref.step_id) if tasks else None
        if task is None or task.contact_id != origin.contact_id or task.journey != origin.journey_id:
            raise Rejected("task_not_open")


def _refs(context: RecordRef | None, contact_id: str | None) -> dict[str, RecordRef]:
    refs = {"context": context, context.entity: context} if context else {}
    return refs | ({CONTACT: RecordRef(entity=CONTACT, id=contact_id)} if contact_id else {})


def _belongs(doc: RecordDoc | None, ref: RecordRef, contact_id: str | None) -> bool:
    """Whether a record is the contact itself, or one of its relations leads to him."""
    if doc is None or contact_id is None:
        return False
    own = ref.entity == CONTACT and ref.id == contact_id
    return own or any(contact_id in to for to in doc.relations.values())
