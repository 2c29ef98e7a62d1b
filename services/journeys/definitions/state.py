"""What the rules of publishing need to know of a journey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from contracts.base import Event
from contracts.common import Json
from contracts.journeys import JourneyPublished, JourneyWithdrawn


@dataclass(frozen=True, slots=True)
class NoJourney:
    """Nobody has published it."""


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey by its newest version."""

    version: int
    definition: Mapping[str, Json]
    withdrawn: bool = False


JourneyState = NoJourney | Journey


def evolve(state: JourneyState, event: Event) -> JourneyState:
    match event:
        case JourneyPublished():
            return Journey(event.journey_version, event.definition)
        case JourneyWithdrawn() if isinstance(state, Journey):
            return replace(state, withdrawn=True)
        case _:
            return state
