"""Other services' events in: when a person is erased, his drafts and files are gone too."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.decider import Do
from chassis.keyring import PostgresKeyring
from chassis.log import Connection
from chassis.reactions import caused_by
from chassis.streams import Streams
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from services.journeys.files import table
from services.journeys.submissions.decider import SUBMISSION, DeleteFiles
from services.journeys.submissions.drafts import delete_of


class ForgetPersons:
    """Deletes the drafts of erased persons and gives up their files; submissions that lose files say so."""

    name = "submissions:forget-persons"
    events: tuple[type[Event], ...] = (PersonErased,)
    durable = True

    def __init__(self, streams: Streams, keyring: PostgresKeyring) -> None:
        self._streams = streams
        self._keyring = keyring

    async def prepare(self, connection: Connection) -> None:
        """Nothing to prepare."""

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if not isinstance(envelope.event, PersonErased):
                continue
            person = envelope.event.person
            self._keyring.forget(person)
            await delete_of(connection, [person])
            submitted = await table.forget(connection, [person], self._streams.clock())
            commands = [
                Do(SUBMISSION, submission_id, DeleteFiles(submission_id, tuple(file_ids)), caused_by(envelope))
                for submission_id, file_ids in submitted.items()
            ]
            if commands:
                await self._streams.execute_all(commands, connection)
