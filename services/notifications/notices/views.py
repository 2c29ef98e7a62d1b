"""Notices of staff: for everybody, a group, or one of them. Those of contacts are shown by the portal."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.common import Json, Text
from contracts.envelope import Envelope
from contracts.notifications import NoticePosted


class NoticeDoc(BaseModel):
    """Something for staff to read."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    group: str | None
    staff_id: str | None
    title: Text
    target: dict[str, Json]
    portal_id: str | None
    posted_at: datetime


def key(envelope: Envelope) -> str | None:
    event = envelope.event
    return event.notice_id if isinstance(event, NoticePosted) and event.contact_id is None else None


def evolve(doc: NoticeDoc | None, envelope: Envelope) -> NoticeDoc | None:
    event = envelope.event
    if not isinstance(event, NoticePosted):
        return doc
    return NoticeDoc(
        id=event.notice_id,
        kind=event.kind,
        group=event.group,
        staff_id=event.staff_id,
        title=event.title,
        target=event.target,
        portal_id=event.portal_id,
        posted_at=envelope.time,
    )


NOTICES = View(
    "notices",
    2,
    NoticeDoc,
    (NoticePosted,),
    key,
    evolve,
    indexes={"newest": "(doc->>'posted_at') DESC, key DESC"},
)


async def newest(
    notices: ViewReader[NoticeDoc], staff_id: str, group: str | None, behind: tuple[str, str] | None, limit: int
) -> list[NoticeDoc]:
    """Notices for everybody, for a member of staff and for groups, or one of them; the newest first."""
    where, parameters = ["(doc->>'staff_id' IS NULL OR doc->>'staff_id' = %s)"], [staff_id]
    if group:
        where.append("(doc->>'group' IS NULL OR doc->>'group' = %s)")
        parameters.append(group)
    if behind:
        where.append("(doc->>'posted_at', key) < (%s, %s)")
        parameters += behind
    return await notices.find(" AND ".join(where), parameters, order="doc->>'posted_at' DESC, key DESC", limit=limit)
