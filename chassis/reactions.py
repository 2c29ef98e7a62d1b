"""Other services' events in, commands out: a pure function, carried out in the transaction of its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from chassis.streams import Streams
from contracts.base import Event
from contracts.envelope import Envelope, Metadata

log = structlog.get_logger()


class Handler(Protocol):
    """What a consumer applies batches to. Everything it does must go through the given transaction."""

    name: str
    events: tuple[type[Event], ...]
    durable: bool
    """Whether a crash of the database may not undo a batch: true for whatever appends events or sends."""

    async def prepare(self, connection: Connection) -> None:
        """Called once before the first batch."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        """Applies a batch; any exception but those of the database's availability is held against its events."""


@dataclass(frozen=True)
class Reaction:
    """Which commands follow from an event."""

    name: str
    events: tuple[type[Event], ...]
    react: Callable[[Envelope], Iterable[Do[Any, Any]]]


def caused_by(envelope: Envelope) -> Metadata:
    """The metadata of what follows from an event: same correlation and trace, the event as cause."""
    return envelope.metadata._replace(causation_id=str(envelope.position), actor=None, acted_as=None)


class ReactionHandler:
    """Carries out what a reaction answers, a batch at a time. A refusal is logged: it is an answer too."""

    def __init__(self, reaction: Reaction, streams: Streams) -> None:
        self.name = f"reaction:{reaction.name}"
        self.events = reaction.events
        self.durable = True
        self._reaction = reaction
        self._streams = streams

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare: a reaction keeps no table."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        commands = [
            replace(do, metadata=caused_by(envelope)) for envelope in envelopes for do in self._reaction.react(envelope)
        ]
        for do, result in zip(commands, await self._streams.execute_all(commands, connection), strict=True):
            if isinstance(result, Rejected):
                log.warning("reaction refused", reaction=self.name, stream=do.stream, reason=str(result))
