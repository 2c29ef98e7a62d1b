"""The table of files: what was sent to which submission, and how far each has come.

A file is `receiving` (its bytes are on their way), `stored`, `submitted` (an event names it) or `doomed` (its bytes
will be removed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson
from psycopg.rows import class_row

from chassis.log import Connection

MAXIMUM_PER_SUBMISSION = 100
RECEIVING = timedelta(hours=1)
ALIVE = ("receiving", "stored")


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file. `name` is sealed, `object` names its bytes in the object store."""

    id: str
    submission_id: str
    upload_id: str
    field: str
    person: str
    subject: str | None
    contact_id: str | None
    object: str
    name: Mapping[str, str]
    media_type: str
    size_bytes: int
    sha256: str
    state: str
    changed_at: datetime


COLUMNS = tuple(FileRow.__dataclass_fields__)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM files "  # noqa: S608 names of the code
INSERT = f"INSERT INTO files ({', '.join(COLUMNS)}) VALUES ({', '.join(f'%({name})s' for name in COLUMNS)})"  # noqa: S608 names of the code


async def find(connection: Connection, file_id: str) -> FileRow | None:
    """A file whose bytes are there."""
    return await _one(connection, "WHERE id = %s AND state IN ('stored', 'submitted')", file_id)


async def find_upload(connection: Connection, submission_id: str, upload_id: str) -> FileRow | None:
    """The file that a client sent under an id of his own, unless it was given up."""
    where = "WHERE submission_id = %s AND upload_id = %s AND state <> 'doomed'"
    return await _one(connection, where, submission_id, upload_id)


async def of_submission(connection: Connection, submission_id: str) -> list[FileRow]:
    """The files of a submission that are or will be there, in the order in which they were sent."""
    cursor = connection.cursor(row_factory=class_row(FileRow))
    await cursor.execute(
        SELECT + "WHERE submission_id = %s AND state <> 'doomed' ORDER BY changed_at, id LIMIT %s",
        (submission_id, MAXIMUM_PER_SUBMISSION),
    )
    return await cursor.fetchall()


async def add(connection: Connection, row: FileRow) -> None:
    """Reserves the place of a file whose bytes will follow."""
    await connection.execute(INSERT, {**asdict(row), "name": _json(row.name)})


async def stored(connection: Connection, file_id: str, now: datetime) -> bool:
    """The bytes are there; False when nobody waits for them any more."""
    cursor = await connection.execute(
        "UPDATE files SET state = 'stored', changed_at = %s WHERE id = %s AND state = ANY(%s)",
        (now, file_id, list(ALIVE)),
    )
    return bool(cursor.rowcount)


async def release(connection: Connection, file_id: str, now: datetime) -> None:
    """The bytes of a file did not come through; where another try of the same has brought them, it stays."""
    await connection.execute(
        "UPDATE files SET state = 'doomed', upload_id = id, changed_at = %s WHERE id = %s AND state = 'receiving'",
        (now, file_id),
    )


async def doom(connection: Connection, submission_id: str, file_id: str, now: datetime) -> bool:
    """Gives up a file of a draft, and sets its upload id free."""
    cursor = await connection.execute(
        "UPDATE files SET state = 'doomed', upload_id = id, changed_at = %s "
        "WHERE submission_id = %s AND id = %s AND state = ANY(%s)",
        (now, submission_id, file_id, list(ALIVE)),
    )
    return bool(cursor.rowcount)


async def submit(connection: Connection, submission_id: str, file_ids: Sequence[str], now: datetime) -> None:
    """These files belong to the submission for good; what else was sent to its draft is given up."""
    await connection.execute(
        "UPDATE files SET state = CASE WHEN id = ANY(%s) THEN 'submitted' ELSE 'doomed' END, changed_at = %s "
        "WHERE submission_id = %s AND state = ANY(%s)",
        (list(file_ids), now, submission_id, list(ALIVE)),
    )


async def forget(connection: Connection, persons: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """Gives up all files of erased persons; returns those that were submitted, by submission."""
    cursor = await connection.execute(
        "WITH before AS (SELECT id, submission_id, state FROM files WHERE person = ANY(%(persons)s) FOR UPDATE) "
        "UPDATE files SET state = 'doomed', name = '{}', changed_at = %(now)s FROM before WHERE files.id = before.id "
        "RETURNING before.submission_id, before.id, before.state",
        {"persons": list(persons), "now": now},
    )
    submitted: dict[str, list[str]] = {}
    for submission_id, file_id, state in await cursor.fetchall():
        if state == "submitted":
            submitted.setdefault(submission_id, []).append(file_id)
    return submitted


async def doom_abandoned(connection: Connection, now: datetime, limit: int) -> int:
    """Gives up files whose draft is gone, and those whose bytes never came; their upload ids are free again."""
    cursor = await connection.execute(
        "UPDATE files SET state = 'doomed', upload_id = id, changed_at = %(now)s WHERE id IN (SELECT id FROM files "
        "WHERE state IN ('receiving', 'stored') AND changed_at < %(before)s AND (state = 'receiving' OR NOT EXISTS "
        "(SELECT FROM drafts WHERE drafts.id = files.submission_id)) LIMIT %(limit)s)",
        {"now": now, "before": now - RECEIVING, "limit": limit},
    )
    return cursor.rowcount


async def doomed(connection: Connection, limit: int) -> list[FileRow]:
    """Files whose bytes are to be removed."""
    cursor = connection.cursor(row_factory=class_row(FileRow))
    await cursor.execute(SELECT + "WHERE state = 'doomed' ORDER BY changed_at LIMIT %s", (limit,))
    return await cursor.fetchall()


async def remove(connection: Connection, file_ids: Sequence[str]) -> None:
    """Their bytes are gone."""
    await connection.execute("DELETE FROM files WHERE id = ANY(%s) AND state = 'doomed'", (list(file_ids),))


async def postpone(connection: Connection, file_ids: Sequence[str], now: datetime) -> None:
    """Their bytes could not be removed: they are tried again after all others."""
    await connection.execute("UPDATE files SET changed_at = %s WHERE id = ANY(%s)", (now, list(file_ids)))


async def _one(connection: Connection, where: str, *parameters: str) -> FileRow | None:
    cursor = connection.cursor(row_factory=class_row(FileRow))
    await cursor.execute(SELECT + where, parameters)
    return await cursor.fetchone()


def _json(value: Mapping[str, str]) -> str:
    return orjson.dumps(dict(value)).decode()
