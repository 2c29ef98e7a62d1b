"""The other half of an erasure: whatever happens after PersonErased is in the log, the key will be destroyed."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.keyring import Keyring
from chassis.log import Connection
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.identity import PersonErased


class DestroyKeys:
    """Destroys the key of every erased person, however often it is told.

    The endpoint does so at once; this one follows the log and so makes up for a crash in between. The keyring is a
    port of its own (a KMS perhaps), so this cannot be in the checkpoint's transaction: it comes before its commit, and
    destroying twice is destroying once.
    """

    name = "persons:destroy-keys"
    events: tuple[type[Event], ...] = (PersonErased,)
    durable = True

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if isinstance(envelope.event, PersonErased):
                await self._keyring.erase(envelope.event.person)
