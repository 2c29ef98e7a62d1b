"""Publishing and withdrawing: a version for every change, none for the same document again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import orjson

from chassis.decider import Decider
from chassis.errors import NotFound
from contracts.base import Event
from contracts.common import Json, Text
from contracts.journeys import Access, JourneyPublished, JourneyWithdrawn
from services.journeys.definitions.state import Journey, JourneyState, NoJourney, evolve


@dataclass(frozen=True, slots=True)
class Publish:
    """What a journey is from now on; the definition was checked before."""

    journey_id: str
    title: Text
    access: Access
    context: str | None
    definition: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Nobody shall begin it any more."""

    journey_id: str


Command = Publish | Withdraw


def decide(command: Command, state: JourneyState) -> Sequence[Event]:
    match command:
        case Publish():
            if isinstance(state, Journey) and not state.withdrawn and _same(command.definition, state.definition):
                return []
            return [
                JourneyPublished(
                    journey_id=command.journey_id,
                    journey_version=1 + (state.version if isinstance(state, Journey) else 0),
                    title=command.title,
                    access=command.access,
                    context=command.context,
                    definition=dict(command.definition),
                )
            ]
        case Withdraw():
            if isinstance(state, NoJourney):
                raise NotFound("journey_not_found")
            return [] if state.withdrawn else [JourneyWithdrawn(journey_id=command.journey_id)]
        case _:
            assert_never(command)


def _same(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Whether two documents are the same, also in the order of their fields and options, in which they are shown."""
    return orjson.dumps(one) == orjson.dumps(other)


JOURNEY: Decider[Command, JourneyState] = Decider("journey", NoJourney(), decide, evolve)
