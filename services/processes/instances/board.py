"""What the endpoints of running processes stand on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from chassis.errors import NotFound, Rejected
from chassis.streams import Outcome, Request, Streams
from chassis.texts import ZONE
from contracts.journeys import RecordRef
from contracts.processes import Assignee, ContactAssignee
from services.processes.instances.answers import Standing
from services.processes.instances.decider import INSTANCE, Blueprint, Command
from services.processes.instances.state import Instance
from services.processes.instances.views import InstanceDoc, Instances
from services.processes.known.situations import Situations
from services.processes.situation import Situation

Blueprints = Callable[[str], Awaitable[Blueprint | None]]


@dataclass(frozen=True)
class Board:
    """Commands on running processes, decided on what is known now, and their views."""

    streams: Streams
    situations: Situations
    blueprints: Blueprints
    instances: Instances

    def today(self) -> date:
        return self.streams.clock().astimezone(ZONE).date()

    async def load(self, instance_id: str) -> Instance:
        """The process now; raises NotFound."""
        state = (await self.streams.load(INSTANCE, instance_id)).state
        if not isinstance(state, Instance):
            raise NotFound("instance_not_found")
        return state

    async def view(self, instance_id: str) -> InstanceDoc:
        """The process as its view has it; raises NotFound."""
        doc = await self.instances.get(instance_id)
        if doc is None:
            raise NotFound("instance_not_found")
        return doc

    async def situation(self, instance_id: str) -> Situation:
        """What is known of the record of a process. Raises NotFound."""
        instance = await self.load(instance_id)
        return await self.situations.of(instance.record, instance.contact_id, instance.submission_id)

    async def situation_of_task(self, instance_id: str) -> Situation:
        """The same for a portal user, for whom a process that is not his does not exist either."""
        try:
            return await self.situation(instance_id)
        except NotFound:
            raise NotFound("task_not_found") from None

    async def standing(self, instance_id: str) -> Standing:
        """How the process stands after a command."""
        instance = await self.load(instance_id)
        active = (step.plan.id for step in instance.steps if step.status == "active" and instance.status == "open")
        return Standing(instance_id=instance_id, status=instance.status, active_step=next(active, None))

    async def execute(self, instance_id: str, command: Command, request: Request) -> Outcome:
        return await self.streams.execute(INSTANCE, instance_id, command, request)

    async def check_assignee(self, assignee: Assignee) -> None:
        """Raises Rejected for a contact that is none."""
        if isinstance(assignee, ContactAssignee):
            record = RecordRef(entity="contact", id=assignee.contact_id)
            if not await self.situations.exists(record):
                raise Rejected("invalid_contact")
