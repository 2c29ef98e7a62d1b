"""How a process is defined: always as a whole, and only when something is different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from chassis.decider import Decider
from contracts.base import Event
from contracts.processes import ProcessDefined
from services.processes.definitions.state import Definition, NoDefinition, State, evolve
from services.processes.document import ProcessDocument


@dataclass(frozen=True, slots=True)
class Define:
    """The process as it shall be from now on."""

    document: ProcessDocument


def decide(command: Define, state: State) -> Sequence[Event]:
    document = command.document
    if isinstance(state, Definition) and _means(state, document):
        return []
    return [
        ProcessDefined(
            process_id=document.process,
            process_version=state.version + 1 if isinstance(state, Definition) else 1,
            title=document.text,
            on=document.on,
            definition=document.model_dump(mode="json", by_alias=True, exclude_unset=True),
        )
    ]


def _means(state: Definition, document: ProcessDocument) -> bool:
    """Whether a stored version says the same, however it was written."""
    try:
        return ProcessDocument.model_validate(state.document) == document
    except ValidationError:
        return False


DEFINITION: Decider[Define, State] = Decider("definition", NoDefinition(), decide, evolve)
