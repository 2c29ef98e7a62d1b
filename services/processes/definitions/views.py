"""The processes that are defined, as a list for staff."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.common import Json
from contracts.envelope import Envelope
from contracts.processes import ProcessDefined


class DefinitionDoc(BaseModel):
    """The newest version of a process."""

    model_config = ConfigDict(frozen=True)

    process_id: str
    version: int
    definition: dict[str, Json]


def key(envelope: Envelope) -> str | None:
    return envelope.event.process_id if isinstance(envelope.event, ProcessDefined) else None


def evolve(doc: DefinitionDoc | None, envelope: Envelope) -> DefinitionDoc | None:
    event = envelope.event
    if not isinstance(event, ProcessDefined):
        return doc
    return DefinitionDoc(process_id=event.process_id, version=event.process_version, definition=event.definition)


DEFINITIONS = View("definitions", 1, DefinitionDoc, (ProcessDefined,), key, evolve)


async def list_definitions(definitions: ViewReader[DefinitionDoc], after: str, limit: int) -> list[DefinitionDoc]:
    """Processes in the order of their ids, those behind `after`."""
    return await definitions.find("key > %s", [after], limit=limit)
