"""Views with values of persons: when one is erased, all documents that hold values of his are blanked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from psycopg import sql
from pydantic import BaseModel, ConfigDict

from chassis.keyring import PostgresKeyring
from chassis.log import Connection
from chassis.views import View, ViewHandler
from contracts.envelope import Envelope
from contracts.identity import PersonErased

FORGET = sql.SQL("UPDATE {} SET doc = doc || %s::jsonb WHERE doc->>'person' = ANY(%s)")


class PersonalDoc(BaseModel):
    """A document with values of a person; `erased`: they are gone for good."""

    model_config = ConfigDict(frozen=True)

    person: str | None
    erased: bool = False


D = TypeVar("D", bound=PersonalDoc)


class PersonalViewHandler(ViewHandler[D]):
    """A view that also blanks all documents of an erased person: `blank` is what is left of them.

    A fold reaches one document by an event's key; this reaches several. Both are one consumer, which takes one batch
    after the other, so that nothing opened before the erasure is folded after it.
    """

    def __init__(self, view: View[D], keyring: PostgresKeyring, blank: dict[str, Any]) -> None:
        super().__init__(view)
        self.events = (*view.events, PersonErased)
        self._keyring = keyring
        self._blank = orjson.dumps({**blank, "erased": True}).decode()

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await super().apply(connection, [each for each in envelopes if not isinstance(each.event, PersonErased)])
        erased = [each.event.person for each in envelopes if isinstance(each.event, PersonErased)]
        if erased:
            for person in erased:
                self._keyring.forget(person)
            await connection.execute(FORGET.format(sql.Identifier(self.table)), (self._blank, erased))
