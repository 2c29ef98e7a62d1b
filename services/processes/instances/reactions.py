"""Other services' events in: submissions start processes and do tasks, automations start further processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import structlog

from chassis.decider import Do
from chassis.errors import Rejected, Unavailable
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.ids import record_id
from contracts.journeys import JourneySubmitted, StartProcessEffect, TaskRef
from contracts.processes import ActionRequested
from services.processes.instances.decider import INSTANCE, Blueprint, Start, Submit
from services.processes.instances.state import Instance
from services.processes.known.situations import Situations

Blueprints = Callable[[str], Awaitable[Blueprint | None]]
Known = Mapping[str, Blueprint | None]

log = structlog.get_logger()


class ProcessHandler:
    """Carries out what submissions and automations ask for, in the transaction of the checkpoint.

    The id of what is started comes from its cause, so nothing starts twice. `ready`: whether the views that are
    decided on have caught up; until then it waits, so that a restart decides nothing on old values.
    """

    def __init__(
        self, streams: Streams, situations: Situations, blueprints: Blueprints, ready: Callable[[], bool]
    ) -> None:
        self.name = "reaction:processes"
        self.events: tuple[type[Event], ...] = (JourneySubmitted, ActionRequested)
        self.durable = True
        self._streams = streams
        self._situations = situations
        self._blueprints = blueprints
        self._ready = ready

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: a reaction keeps no table."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        if not self._ready():
            raise Unavailable("the views of records and submissions are catching up")
        commands = await self._all_commands(envelopes)
        if not commands:
            return
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("reaction refused", reaction=self.name, stream=do.stream, reason=str(result))

    async def _all_commands(self, envelopes: Sequence[Envelope]) -> list[Do[Any, Any]]:
        """All at the same time, so that they share queries: the transaction of the checkpoint waits meanwhile."""
        wanted = sorted({process for envelope in envelopes for process in _processes(envelope.event)})
        found = await asyncio.gather(*map(self._blueprints, wanted))
        blueprints = dict(zip(wanted, found, strict=True))
        return list(chain(*await asyncio.gather(*(self._commands(each, blueprints) for each in envelopes))))

    async def _commands(self, envelope: Envelope, blueprints: Known) -> list[Do[Any, Any]]:
        match envelope.event:
            case JourneySubmitted() as event:
                commands = [
                    await self._start(event, index, effect, blueprints)
                    for index, effect in enumerate(event.effects)
                    if isinstance(effect, StartProcessEffect)
                ]
                if event.task and (submit := await self._submit(event, event.task)):
                    commands.append(submit)
            case ActionRequested(kind="start_process") as event:
                commands = [await self._start_by_automation(event, str(envelope.position), blueprints)]
            case _:
                commands = []
        return [replace(do, metadata=caused_by(envelope)) for do in commands]

    async def _start(
        self, event: JourneySubmitted, index: int, effect: StartProcessEffect, blueprints: Known
    ) -> Do[Any, Any]:
        instance_id = record_id("process", f"{event.submission_id}/{index}")
        start = Start(
            instance_id=instance_id,
            process_id=effect.process,
            blueprint=blueprints[effect.process],
            record=effect.record,
            situation=await self._situations.at_submission(effect.record, event),
            contact_id=event.contact_id,
            portal_id=event.portal_id,
            submission_id=event.submission_id,
            effect=index,
        )
        return Do(INSTANCE, instance_id, start)

    async def _submit(self, event: JourneySubmitted, task: TaskRef) -> Do[Any, Any] | None:
        instance = (await self._streams.load(INSTANCE, task.instance_id)).state
        if not isinstance(instance, Instance):
            log.warning("submission of a task that does not exist", submission=event.submission_id)
            return None
        submit = Submit(
            step_id=task.step_id,
            contact_id=event.contact_id,
            journey_id=event.journey_id,
            submission_id=event.submission_id,
            situation=await self._situations.of(instance.record, instance.contact_id, instance.submission_id, event),
        )
        return Do(INSTANCE, task.instance_id, submit)

    async def _start_by_automation(self, event: ActionRequested, position: str, blueprints: Known) -> Do[Any, Any]:
        instance_id = record_id("process", position)
        (process_id,) = _processes(event)
        start = Start(
            instance_id=instance_id,
            process_id=process_id,
            blueprint=blueprints[process_id],
            record=event.record,
            situation=await self._situations.of(event.record, event.contact_id, None),
            contact_id=event.contact_id,
            portal_id=event.portal_id,
            started_by=event.instance_id,
            depth=event.depth + 1,
        )
        return Do(INSTANCE, instance_id, start)


def _processes(event: Event) -> list[str]:
    """The processes that an event asks for."""
    match event:
        case JourneySubmitted():
            return [effect.process for effect in event.effects if isinstance(effect, StartProcessEffect)]
        case ActionRequested(kind="start_process"):
            return [str(event.parameters.get("process", ""))]
        case _:
            return []
