"""The table of portal users with what their contacts are called, page by page or all of it as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from pydantic import Field

from chassis.errors import NotFound, Rejected
from chassis.texts import Texts, format_fact
from contracts.common import Language
from contracts.ids import stream
from services.identity.contacts.views import CONTACT, KnownRecords
from services.identity.users.views import Filters, UserRow, UserRows, list_users

PAGE = 500
MAXIMUM_EXPORTED = 200_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula when a cell begins with it."""
BYTE_ORDER_MARK = "\ufeff"
"""By which spreadsheets know that it is UTF-8."""


class UserEntry(UserRow):
    """A portal user with his contact."""

    contact_number: str | None = Field(default=None, description="The customer number")
    contact_name: str | None = None


COLUMNS = tuple(UserEntry.model_fields)


def chosen(columns: str) -> tuple[str, ...]:
    """The columns that a comma-separated text names, all where it is empty. Raises Rejected."""
    names = tuple(filter(None, (name.strip() for name in columns.split(","))))
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise Rejected("invalid_column", column=unknown[0][:100], columns=list(COLUMNS))
    return names or COLUMNS


class UserTable:
    """Reads the table."""

    def __init__(self, rows: UserRows, records: KnownRecords) -> None:
        self._rows = rows
        self._records = records

    async def page(self, filters: Filters, after: str, limit: int) -> list[UserEntry]:
        """Users in the order of their ids, those behind `after`."""
        return await self._entries(await list_users(self._rows, filters, after, limit))

    async def get(self, user_id: str) -> UserEntry:
        """One user. Raises NotFound."""
        doc = await self._rows.get(user_id)
        if doc is None or doc.row is None:
            raise NotFound("user_not_found")
        (entry,) = await self._entries([doc.row])
        return entry

    async def all(self, filters: Filters) -> AsyncIterator[Sequence[UserEntry]]:
        """All of them, a page at a time."""
        after = ""
        for _ in range(MAXIMUM_EXPORTED // PAGE):
            entries = await self.page(filters, after, PAGE)
            yield entries
            if len(entries) < PAGE:
                return
            after = entries[-1].user_id

    async def _entries(self, rows: Sequence[UserRow]) -> list[UserEntry]:
        keys = sorted({stream(CONTACT, row.contact_id) for row in rows if row.contact_id})
        contacts = await self._records.get_many(keys) if keys else {}
        entries = []
        for row in rows:
            contact = contacts.get(stream(CONTACT, row.contact_id or ""))
            number, name = (contact.external_id, contact.name) if contact else (None, None)
            entries.append(UserEntry(**row.model_dump(), contact_number=number, contact_name=name))
        return entries


async def csv_of(
    pages: AsyncIterator[Sequence[UserEntry]], columns: Sequence[str], texts: Texts, language: Language
) -> AsyncIterator[str]:
    """CSV as spreadsheets of this country read it: semicolons, headings and values as people write them."""
    yield BYTE_ORDER_MARK + _line([texts.say(f"column_{name}", language) or name for name in columns])
    async for page in pages:
        yield "".join(_line([_cell(getattr(entry, name), name, texts, language) for name in columns]) for entry in page)


def _cell(value: object, name: str, texts: Texts, language: Language) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return format_fact(name, value, language, {})
    text = texts.say(f"value_{name}_{value}", language) or str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=";").writerow(cells)
    return line.getvalue()
