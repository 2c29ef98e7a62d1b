"""What may be said about a message: how it ended, and that somebody wants it once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from chassis.decider import Decider
from contracts.base import Event
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent
from services.notifications.messages.state import Message, ResendRequested, Waiting, evolve


@dataclass(frozen=True, slots=True)
class Settle:
    """The message was sent or given up."""

    outcome: MessageSent | MessageFailed


@dataclass(frozen=True, slots=True)
class Resend:
    """The message is wanted once more; one that waits goes out at once."""

    message_id: str


Command = Settle | Resend


def decide(command: Command, state: Message) -> Sequence[Event]:
    match command:
        case Settle(outcome):
            return [outcome]
        case Resend() if isinstance(state, ResendRequested):
            return []
        case Resend(message_id):
            return [MessageResendRequested(message_id=message_id)]
        case _:
            assert_never(command)


MESSAGE: Decider[Command, Message] = Decider("message", Waiting(), decide, evolve)
