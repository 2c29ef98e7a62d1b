"""Rules: a decider says which events follow from a command, and what a state is after them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from contracts.base import Event
from contracts.envelope import Metadata
from contracts.ids import stream

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True)
class Decider(Generic[C, S]):
    """The rules of one kind of stream: `decide(command, state)` gives events, `evolve(state, event)` folds them."""

    kind: str
    initial: S
    decide: Callable[[C, S], Sequence[Event]]
    evolve: Callable[[S, Any], S]

    def fold(self, state: S, events: Sequence[Event]) -> S:
        for event in events:
            state = self.evolve(state, event)
        return state


@dataclass(frozen=True, slots=True)
class Do(Generic[C, S]):
    """A command for a stream, to be carried out together with others in one transaction."""

    decider: Decider[C, S]
    id: str
    command: C
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def stream(self) -> str:
        return stream(self.decider.kind, self.id)
