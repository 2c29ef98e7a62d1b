"""Recording who was shown what."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event
from contracts.identity import PersonalDataRevealed
from services.identity.reveals.state import Reveal, evolve


@dataclass(frozen=True, slots=True)
class RecordReveal:
    """`values` is how many boxes could be opened; `persons` those whose boxes were asked for."""

    reveal_id: str
    revealed_to: str
    reason: str
    persons: tuple[str, ...]
    values: int


def decide(command: RecordReveal, state: Reveal) -> list[Event]:
    if state.recorded:
        raise Rejected("reveal_recorded_already")
    return [
        PersonalDataRevealed(
            reveal_id=command.reveal_id,
            revealed_to=command.revealed_to,
            reason=command.reason,
            persons=command.persons,
            values=command.values,
        )
    ]


REVEALS: Decider[RecordReveal, Reveal] = Decider("reveals", Reveal(), decide, evolve)
