"""What the rules of a definition need to know: its newest version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.base import Event
from contracts.common import Json
from contracts.processes import ProcessDefined


@dataclass(frozen=True, slots=True)
class NoDefinition:
    """Nobody has written it yet."""


@dataclass(frozen=True, slots=True)
class Definition:
    """The newest version of a process."""

    version: int
    document: Mapping[str, Json]


State = NoDefinition | Definition


def evolve(state: State, event: Event) -> State:
    if isinstance(event, ProcessDefined):
        return Definition(event.process_version, event.definition)
    return state
