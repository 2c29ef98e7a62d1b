"""A backlog is looked up at once: its transaction does not wait for one query after the other."""

import asyncio
from collections.abc import Sequence
from typing import Any

from chassis.decider import Do
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from contracts.journeys import RecordRef
from contracts.processes import ActionRequested
from services.processes.instances.decider import Blueprint
from services.processes.instances.reactions import ProcessHandler
from services.processes.situation import Situation
from tests.services.processes.plans import NOW, blueprint, situation

BACKLOG = 200
LIMIT_SECONDS = 10


class Taken:
    """Streams that only note what they are to carry out."""

    def __init__(self) -> None:
        self.commands: list[Do[Any, Any]] = []

    async def execute_all(self, commands: Sequence[Do[Any, Any]], _: Any) -> list[None]:
        self.commands.extend(commands)
        return [None] * len(commands)


class AllAtOnce:
    """Situations that are known only when the whole backlog has asked for them."""

    def __init__(self) -> None:
        self._asked = asyncio.Barrier(BACKLOG)

    async def of(self, *_: Any) -> Situation:
        await self._asked.wait()
        return situation()


def wish(number: int) -> Envelope:
    event = ActionRequested(
        instance_id=f"i-{number}",
        process_id="first",
        record=RecordRef(entity="contract", id=f"c-{number}"),
        step_id="s",
        action=0,
        kind="start_process",
        parameters={"process": "cancellation"},
        contact_id=None,
        portal_id=None,
    )
    place = Position("processes", 0, number)
    return Envelope(Record(place, f"process/i-{number}", 1, event.type, NOW, Metadata(), b"{}"), event)


async def test_a_backlog_asks_at_once_and_reads_each_definition_once() -> None:
    read: list[str] = []

    async def blueprints(process_id: str) -> Blueprint:
        read.append(process_id)
        return blueprint()

    taken: Any = Taken()
    situations: Any = AllAtOnce()
    handler = ProcessHandler(taken, situations, blueprints, lambda: True)
    backlog = [wish(number) for number in range(1, BACKLOG + 1)]
    connection: Any = None
    async with asyncio.timeout(LIMIT_SECONDS):
        await handler.apply(connection, backlog)
    assert read == ["cancellation"]
    assert [do.command.record.id for do in taken.commands] == [f"c-{number}" for number in range(1, BACKLOG + 1)]
