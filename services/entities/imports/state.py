"""What the rules need to know of an import."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.entities import ImportCompleted


@dataclass(frozen=True, slots=True)
class Running:
    """Its rows are still being looked at."""


@dataclass(frozen=True, slots=True)
class Completed:
    """It ended; it can end only once."""


State = Running | Completed


def evolve(state: State, event: Event) -> State:
    return Completed() if isinstance(event, ImportCompleted) else state
