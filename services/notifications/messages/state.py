"""What is known of a message in its stream: whether it is settled, or asked for once more."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing was said about it yet."""


@dataclass(frozen=True, slots=True)
class ResendRequested:
    """It is to go out once more and has not yet."""


@dataclass(frozen=True, slots=True)
class Settled:
    """It was sent or given up."""


Message = Waiting | ResendRequested | Settled


def evolve(state: Message, event: Event) -> Message:
    match event:
        case MessageSent() | MessageFailed():
            return Settled()
        case MessageResendRequested():
            return ResendRequested()
        case _:
            return state
