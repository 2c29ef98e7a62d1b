"""Notices as notifications posted them, and who has read them: two topics, each folded into fields of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from chassis.database import Pool
from chassis.views import View
from contracts.common import Json, Text
from contracts.envelope import Envelope
from contracts.notifications import NoticePosted
from contracts.portal import NoticeRead
from services.portal.reading import Page, Slice, fetch, paged, read_cursor, time_text, write_cursor


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Posted(Document):
    """A notice for a contact, for a group of staff, or (with neither) for all staff."""

    kind: str
    contact_id: str | None
    group: str | None
    title: Text
    target: dict[str, Json]
    portal_id: str | None
    posted_at: datetime


class NoticeDoc(Document):
    """A notice and its readers with the time at which they read it. `to` is derived for queries."""

    notice_id: str
    posted: Posted | None = None
    read_by: dict[str, datetime] = {}
    to: str | None = None


STAFF = "staff"


def key(envelope: Envelope) -> str | None:
    event = envelope.event
    return event.notice_id if isinstance(event, NoticePosted | NoticeRead) else None


def evolve(before: NoticeDoc | None, envelope: Envelope) -> NoticeDoc | None:
    match envelope.event:
        case NoticePosted() as event:
            notice = before or NoticeDoc(notice_id=event.notice_id)
            posted = Posted(
                kind=event.kind,
                contact_id=event.contact_id,
                group=event.group,
                title=event.title,
                target=event.target,
                portal_id=event.portal_id,
                posted_at=envelope.time,
            )
            return notice.model_copy(update={"posted": posted, "to": addressee(event)})
        case NoticeRead() as event:
            notice = before or NoticeDoc(notice_id=event.notice_id)
            readers = {event.reader: envelope.time, **notice.read_by}
            return notice.model_copy(update={"read_by": dict(sorted(readers.items()))})
        case _:
            return before


def addressee(event: NoticePosted) -> str:
    if event.contact_id:
        return f"contact/{event.contact_id}"
    return f"staff/{event.staff_id}" if event.staff_id else STAFF


NOTICES = View(
    name="notices",
    version=2,
    document=NoticeDoc,
    events=(NoticePosted, NoticeRead),
    key=key,
    evolve=evolve,
    indexes={"to": "(doc->>'to'), (doc->'posted'->>'posted_at'), key"},
)

_UNREAD = "NOT doc->'read_by' ? %(reader)s"


@dataclass(frozen=True, slots=True)
class Inbox:
    """Whose notices: addressed to one of these, read as `reader`."""

    to: tuple[str, ...]
    reader: str

    @classmethod
    def of(cls, contact_id: str | None, reader: str) -> Inbox:
        """A contact's, or those for all staff and for the one who asks."""
        return cls((f"contact/{contact_id}",) if contact_id else (STAFF, reader), reader)


async def notices_page(pool: Pool, inbox: Inbox, unread: bool, wanted: Slice) -> Page[NoticeDoc]:
    """The newest first."""
    conditions, parameters = ["doc->>'to' = ANY(%(to)s)"], _parameters(inbox)
    if unread:
        conditions.append(_UNREAD)
    if wanted.cursor is not None:
        conditions.append("(doc->'posted'->>'posted_at', key) < (%(posted_at)s, %(key)s)")
        parameters["posted_at"], parameters["key"] = read_cursor(wanted.cursor, 2)
    statement = (
        f"SELECT doc::text FROM {NOTICES.table} WHERE {' AND '.join(conditions)} "  # noqa: S608 our own names
        "ORDER BY doc->'posted'->>'posted_at' DESC, key DESC LIMIT %(limit)s"
    )
    rows = await fetch(pool, statement, {**parameters, "limit": wanted.limit + 1})
    found = [NoticeDoc.model_validate_json(doc) for (doc,) in rows]
    return paged(found, wanted.limit, lambda last: write_cursor(_posted_at(last), last.notice_id))


async def count_unread(pool: Pool, inbox: Inbox, most: int) -> int:
    """Notices that the reader has not read, counted up to `most`."""
    statement = (
        f"SELECT count(*) FROM (SELECT FROM {NOTICES.table} "  # noqa: S608 our own names
        f"WHERE doc->>'to' = ANY(%(to)s) AND {_UNREAD} LIMIT %(most)s) t"
    )
    return int((await fetch(pool, statement, {**_parameters(inbox), "most": most}))[0][0])


def _parameters(inbox: Inbox) -> dict[str, object]:
    return {"to": list(inbox.to), "reader": inbox.reader}


def _posted_at(notice: NoticeDoc) -> str:
    return time_text(notice.posted.posted_at) if notice.posted else ""
