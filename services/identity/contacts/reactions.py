"""Keeps the view of contacts, forgets erased persons in it, and says which addresses must be looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from psycopg import sql

from chassis.keyring import Keyring
from chassis.log import Connection
from chassis.streams import Clock
from chassis.views import ViewHandler
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from services.identity.contacts.matching import look_again
from services.identity.contacts.views import KNOWN_RECORDS, KnownRecord

SETTLED_AFTER = timedelta(seconds=1)
"""An import brings the contacts of one address one after the other: they are looked at when it has passed by."""
FORGET = sql.SQL(
    'UPDATE {} SET doc = doc || \'{{"personal": {{}}, "email": null, "erased": true}}\'::jsonb '
    "WHERE doc->>'person' = ANY(%s)"
)
ADDRESSES = sql.SQL("SELECT DISTINCT doc->>'email' FROM {} WHERE key = ANY(%s) AND doc->>'email' IS NOT NULL")


class KnownRecordsHandler(ViewHandler[KnownRecord]):
    """The view of contacts and contracts, which also blanks all records of an erased person."""

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        super().__init__(KNOWN_RECORDS)
        self.events = (*KNOWN_RECORDS.events, PersonErased)
        self._keyring = keyring
        self._clock = clock

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        keys = sorted({key for each in envelopes if (key := self.view.key(each)) is not None})
        before = await self._addresses(connection, keys)
        await super().apply(connection, [each for each in envelopes if not isinstance(each.event, PersonErased)])
        erased = [each.event.person for each in envelopes if isinstance(each.event, PersonErased)]
        if erased:
            for person in erased:
                await self._keyring.erase(person)
            await connection.execute(FORGET.format(sql.Identifier(self.table)), (erased,))
        after = await self._addresses(connection, keys)
        await look_again(connection, before | after, self._clock() + SETTLED_AFTER)

    async def _addresses(self, connection: Connection, keys: list[str]) -> set[str]:
        if not keys:
            return set()
        rows = await (await connection.execute(ADDRESSES.format(sql.Identifier(self.table)), (keys,))).fetchall()
        return {row[0] for row in rows}
