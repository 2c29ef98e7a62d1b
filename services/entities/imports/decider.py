"""The one command of an import: it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.decider import Decider
from contracts.base import Event
from contracts.entities import ImportCompleted
from services.entities.imports.state import Completed, Running, State, evolve


@dataclass(frozen=True, slots=True)
class CompleteImport:
    """All rows of an import were looked at."""

    id: str
    entity: str
    created: int
    updated: int
    unchanged: int
    refused: int


def decide(command: CompleteImport, state: State) -> Sequence[Event]:
    if isinstance(state, Completed):
        return []
    return [
        ImportCompleted(
            import_id=command.id,
            entity=command.entity,
            created=command.created,
            updated=command.updated,
            unchanged=command.unchanged,
            refused=command.refused,
        )
    ]


IMPORTS: Decider[CompleteImport, State] = Decider("import", Running(), decide, evolve)
