"""The table of drafts: answers so far, sealed with the key of their person, until they are sent or expire."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from chassis.database import Pool
from chassis.errors import NotFound, Rejected
from chassis.keyring import Keyring, open_sealed, seal
from chassis.log import Connection
from contracts.base import Sealed
from contracts.common import Json, Language
from contracts.journeys import RecordRef, TaskRef
from services.journeys.known.rules import Origin

KEPT = timedelta(days=30)
MAXIMUM_DRAFTS = 50
"""Of one user: the ones that he has not touched for longest make room."""
REFERENCE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
REFERENCE_LENGTH = 8
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """A submission that was begun. It follows the version of the journey with which it began."""

    id: str
    reference: str
    revision: int
    journey_id: str
    journey_version: int
    portal_id: str
    language: Language
    person: str
    subject: str | None
    contact_id: str | None
    secret_hash: bytes | None
    action: str | None
    context: RecordRef | None
    task: TaskRef | None
    answers: Mapping[str, Json]
    done: tuple[str, ...]
    changed_at: datetime
    expires_at: datetime
    submitted_at: datetime | None

    @property
    def origin(self) -> Origin:
        return Origin(self.journey_id, self.portal_id, self.contact_id, self.context, self.action, self.task)


@dataclass(frozen=True, slots=True)
class NewDraft:
    """What a draft begins with. `secret` opens the draft of somebody who is not signed in."""

    id: str
    journey_id: str
    journey_version: int
    portal_id: str
    language: Language
    person: str
    subject: str | None = None
    contact_id: str | None = None
    secret: str | None = None
    action: str | None = None
    context: RecordRef | None = None
    task: TaskRef | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.journey_id, self.portal_id, self.contact_id, self.context, self.action, self.task)


def new_reference() -> str:
    """What people call a submission, e.g. 7K3F-9QXM: no letter or digit that is taken for another."""
    text = "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))
    return f"{text[: REFERENCE_LENGTH // 2]}-{text[REFERENCE_LENGTH // 2 :]}"


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True)
class Drafts:
    """Reads and writes drafts."""

    pool: Pool
    keyring: Keyring

    async def begin(self, new: NewDraft, now: datetime) -> None:
        """Makes a draft, unless it was begun already. Raises Rejected where that began otherwise, or NotFound."""
        for attempt in range(ATTEMPTS):
            try:
                is_new = await self._insert(new, new_reference(), now)
            except UniqueViolation:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                break
        if is_new:
            return
        begun = await self.find(new.id, now)
        if begun is None:
            raise NotFound("submission_not_found")
        if begun.origin != new.origin:
            raise Rejected("idempotency_key_reused")

    async def find(self, id_: str, now: datetime) -> Draft | None:
        """A draft that has not expired and whose person was not erased."""
        async with self.pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute("SELECT * FROM drafts WHERE id = %s AND expires_at > %s", (id_, now))
            row = await cursor.fetchone()
        if row is None:
            return None
        keys = await self.keyring.provide([row["person"]])
        return _draft(row, keys[row["person"]]) if row["person"] in keys else None

    async def of(self, subject: str, now: datetime) -> list[Draft]:
        """What a user has begun and not sent, the latest first."""
        async with self.pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(
                "SELECT * FROM drafts WHERE subject = %s AND submitted_at IS NULL AND expires_at > %s "
                "ORDER BY changed_at DESC LIMIT %s",
                (subject, now, MAXIMUM_DRAFTS),
            )
            rows = await cursor.fetchall()
        keys = await self.keyring.provide(sorted({row["person"] for row in rows})) if rows else {}
        return [_draft(row, keys[row["person"]]) for row in rows if row["person"] in keys]

    async def save(self, draft: Draft, answers: Mapping[str, Json], done: Sequence[str], now: datetime) -> bool:
        """Keeps answers; False when somebody else changed or sent the draft meanwhile. Raises NotFound."""
        keys = await self.keyring.provide([draft.person])
        if draft.person not in keys:
            raise NotFound("submission_not_found")
        box = seal(dict(answers), draft.person, keys[draft.person]).model_dump_json()
        async with self.pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE drafts SET answers = %s, done = %s, changed_at = %s, revision = revision + 1 "
                "WHERE id = %s AND revision = %s AND submitted_at IS NULL",
                (box, list(done), now, draft.id, draft.revision),
            )
        return bool(cursor.rowcount)

    async def _insert(self, new: NewDraft, reference: str, now: datetime) -> bool:
        """False when there is a draft with this id."""
        values: dict[str, Any] = {
            "id": new.id,
            "reference": reference,
            "journey_id": new.journey_id,
            "journey_version": new.journey_version,
            "portal_id": new.portal_id,
            "language": new.language,
            "person": new.person,
            "subject": new.subject,
            "contact_id": new.contact_id,
            "secret_hash": hash_of(new.secret) if new.secret else None,
            "action": new.action,
            "context": new.context.model_dump_json() if new.context else None,
            "task": new.task.model_dump_json() if new.task else None,
            "begun_at": now,
            "changed_at": now,
            "expires_at": now + KEPT,
        }
        places = ", ".join(f"%({name})s" for name in values)
        statement = f"INSERT INTO drafts ({', '.join(values)}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 names of the code
        async with self.pool.connection() as connection, connection.transaction():
            is_new = bool((await connection.execute(statement, values)).rowcount)
            if is_new and new.subject:
                await connection.execute(
                    "DELETE FROM drafts WHERE id IN (SELECT id FROM drafts WHERE subject = %s "
                    "AND submitted_at IS NULL ORDER BY changed_at DESC OFFSET %s)",
                    (new.subject, MAXIMUM_DRAFTS),
                )
        return is_new


async def lock(connection: Connection, draft: Draft) -> bool:
    """Holds a draft for the rest of the transaction; False when it was changed or sent since it was read."""
    cursor = await connection.execute(
        "SELECT 1 FROM drafts WHERE id = %s AND revision = %s AND submitted_at IS NULL FOR UPDATE",
        (draft.id, draft.revision),
    )
    return await cursor.fetchone() is not None


async def lock_open(connection: Connection, draft_id: str) -> bool:
    """Holds a draft for the rest of the transaction; False when it was sent or is gone."""
    cursor = await connection.execute(
        "SELECT 1 FROM drafts WHERE id = %s AND submitted_at IS NULL FOR UPDATE", (draft_id,)
    )
    return await cursor.fetchone() is not None


async def touch(connection: Connection, draft_id: str, now: datetime) -> None:
    """Notes that something of a draft changed, so that what is under way with it begins anew.

    Comes before the change of a file: whoever locks both locks the draft first.
    """
    await connection.execute(
        "UPDATE drafts SET revision = revision + 1, changed_at = %s WHERE id = %s", (now, draft_id)
    )


async def close(connection: Connection, draft_id: str, now: datetime) -> None:
    """A draft was sent: its answers are in the event, and what is left repeats the reference."""
    await connection.execute(
        "UPDATE drafts SET submitted_at = %s, answers = NULL, revision = revision + 1 WHERE id = %s", (now, draft_id)
    )


def _draft(row: Mapping[str, Any], key: bytes) -> Draft:
    answers: dict[str, Json] = {}
    if row["answers"] is not None:
        plain = open_sealed(Sealed.model_validate(row["answers"]), key)
        answers = orjson.loads(plain) if plain else {}
    return Draft(
        id=row["id"],
        reference=row["reference"],
        revision=row["revision"],
        journey_id=row["journey_id"],
        journey_version=row["journey_version"],
        portal_id=row["portal_id"],
        language=row["language"],
        person=row["person"],
        subject=row["subject"],
        contact_id=row["contact_id"],
        secret_hash=row["secret_hash"],
        action=row["action"],
        context=RecordRef.model_validate(row["context"]) if row["context"] else None,
        task=TaskRef.model_validate(row["task"]) if row["task"] else None,
        answers=answers,
        done=tuple(row["done"]),
        changed_at=row["changed_at"],
        expires_at=row["expires_at"],
        submitted_at=row["submitted_at"],
    )


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Forgets drafts whose time is over; returns how many."""
    cursor = await connection.execute(
        "DELETE FROM drafts WHERE id IN (SELECT id FROM drafts WHERE expires_at <= %s LIMIT %s)", (now, limit)
    )
    return cursor.rowcount


async def delete_of(connection: Connection, persons: Sequence[str]) -> None:
    """Forgets the drafts of persons."""
    await connection.execute("DELETE FROM drafts WHERE person = ANY(%s)", (list(persons),))
