"""Submissions and files of a contact, the newest first."""

from __future__ import annotations

from chassis import arrays
from chassis.database import Pool
from chassis.grouping import Grouped
from chassis.views import ViewReader
from services.portal.reading import Page, Slice, fetch, paged, read_cursor, time_text, write_cursor
from services.portal.requests.views import REQUESTS, RequestDoc

Requests = ViewReader[RequestDoc]

_OF_CONTACT = "doc->'submitted'->>'contact_id' = %(contact)s"
_OF_RECORD = "doc->'submitted'->'context'->>'id' = %(record)s"
_WITH_FILES = "doc->>'has_files' = 'true'"
_BEHIND = "(doc->'submitted'->>'submitted_at', key) < (%(submitted_at)s, %(key)s)"
_LATEST = "doc->'submitted'->>'submitted_at' DESC, key DESC"

MAXIMUM_OF_RECORD = 20
_OF_RECORDS = f"""
SELECT c, r, q.doc::text FROM unnest(%(contacts)b, %(records)b) k (c, r) CROSS JOIN LATERAL (
    SELECT doc FROM {REQUESTS.table}
    WHERE doc->'submitted'->>'contact_id' = c AND doc->'submitted'->'context'->>'id' = r AND {_WITH_FILES}
    ORDER BY {_LATEST} LIMIT {MAXIMUM_OF_RECORD}) q
"""  # noqa: S608 our own names


async def requests_page(
    pool: Pool, contact_id: str, record_id: str | None, wanted: Slice, *, with_files: bool = False
) -> Page[RequestDoc]:
    """Submissions of a contact, where wanted only those on a record, or only those with files."""
    conditions, parameters = [_OF_CONTACT], {"contact": contact_id}
    conditions += [_WITH_FILES] if with_files else []
    if record_id is not None:
        conditions.append(_OF_RECORD)
        parameters["record"] = record_id
    if wanted.cursor is not None:
        conditions.append(_BEHIND)
        parameters["submitted_at"], parameters["key"] = read_cursor(wanted.cursor, 2)
    statement = (
        f"SELECT doc::text FROM {REQUESTS.table} WHERE {' AND '.join(conditions)} "  # noqa: S608 our own names
        f"ORDER BY {_LATEST} LIMIT %(limit)s"
    )
    rows = await fetch(pool, statement, {**parameters, "limit": wanted.limit + 1})
    return paged([RequestDoc.model_validate_json(doc) for (doc,) in rows], wanted.limit, _cursor_behind)


class FilesOfRecords:
    """The latest submissions with files of a contact on a record. What is asked for at the same time shares a query."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._grouped = Grouped(self._fetch)

    async def of(self, contact_id: str, record_id: str) -> list[RequestDoc]:
        """The newest first, at most `MAXIMUM_OF_RECORD`."""
        key = f"{contact_id}/{record_id}"
        return (await self._grouped.load([key])).get(key, [])

    async def _fetch(self, keys: list[str]) -> dict[str, list[RequestDoc]]:
        pairs = [key.partition("/") for key in keys]
        contacts, records = [contact for contact, *_ in pairs], [record for *_, record in pairs]
        parameters = {"contacts": arrays.texts(contacts), "records": arrays.texts(records)}
        found: dict[str, list[RequestDoc]] = {}
        for contact, record, request in await fetch(self._pool, _OF_RECORDS, parameters):
            found.setdefault(f"{contact}/{record}", []).append(RequestDoc.model_validate_json(request))
        return found


async def failed_page(pool: Pool, wanted: Slice) -> Page[RequestDoc]:
    """Submissions of which something failed."""
    behind = "true"
    parameters: dict[str, object] = {"limit": wanted.limit + 1}
    if wanted.cursor is not None:
        behind = _BEHIND
        parameters["submitted_at"], parameters["key"] = read_cursor(wanted.cursor, 2)
    statement = (
        f"SELECT doc::text FROM {REQUESTS.table} WHERE doc->>'has_failed' = 'true' "  # noqa: S608 our own names
        f"AND doc->>'submitted' IS NOT NULL AND {behind} ORDER BY {_LATEST} LIMIT %(limit)s"
    )
    rows = await fetch(pool, statement, parameters)
    return paged([RequestDoc.model_validate_json(doc) for (doc,) in rows], wanted.limit, _cursor_behind)


async def count_failed(pool: Pool, most: int) -> int:
    """Submissions of which something failed, counted up to `most`."""
    statement = (
        f"SELECT count(*) FROM (SELECT FROM {REQUESTS.table} WHERE doc->>'has_failed' = 'true' LIMIT %(most)s) t"  # noqa: S608 our own names
    )
    return int((await fetch(pool, statement, {"most": most}))[0][0])


def _cursor_behind(last: RequestDoc) -> str:
    assert last.submitted is not None  # noqa: S101 only submissions have a contact to be found by
    return write_cursor(time_text(last.submitted.submitted_at), last.submitted.submission_id)
