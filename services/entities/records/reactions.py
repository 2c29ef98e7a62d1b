"""Other services' events in: when a person is erased, every record forgets that person's values."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from chassis.keyring import PostgresKeyring
from chassis.log import Connection
from chassis.views import ViewHandler
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from services.entities.records.views import RECORDS, RecordDocument

FORGET = sql.SQL(
    "UPDATE {} SET doc = doc || '{{\"personal\": {{}}, \"erased\": true}}'::jsonb WHERE doc->>'person' = ANY(%s)"
)


class RecordsHandler(ViewHandler[RecordDocument]):
    """The view of records, which also blanks all records of an erased person: his own and, say, his contracts.

    A fold reaches one document by an event's key; this reaches several. Both are one consumer, which takes one batch
    after the other, so that nothing opened before the erasure is folded after it.
    """

    def __init__(self, keyring: PostgresKeyring) -> None:
        super().__init__(RECORDS)
        self.events = (*RECORDS.events, PersonErased)
        self._keyring = keyring

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await super().apply(connection, [each for each in envelopes if not isinstance(each.event, PersonErased)])
        erased = [each.event.person for each in envelopes if isinstance(each.event, PersonErased)]
        if erased:
            for person in erased:
                self._keyring.forget(person)
            await connection.execute(FORGET.format(sql.Identifier(self.table)), (erased,))
