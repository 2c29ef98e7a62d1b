"""Files in and out: looked at before they are kept, sealed on their way to the store, opened on their way back."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from uuid import uuid4

import orjson

from chassis.database import Pool
from chassis.errors import NotFound, Rejected, Unavailable
from chassis.keyring import Keyring, open_sealed, seal
from chassis.objects import Objects, opened, sealed
from chassis.streams import Clock
from contracts.base import Sealed
from services.journeys.files import table
from services.journeys.files.scanner import Scanner
from services.journeys.files.table import FileRow
from services.journeys.form.fields import FilesField
from services.journeys.kinds import HEAD_BYTES, KINDS, extension_of, kind_of
from services.journeys.submissions.drafts import Draft, lock_open, touch

MAXIMUM_SUBMISSION_BYTES = 50 * 1024 * 1024
MAXIMUM_NAME = 150
PIECE_BYTES = 256 * 1024
FOLDER = "submissions"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as it came: `upload_id` is the client's, so that he may send it again when he is not sure."""

    upload_id: str
    field_name: str
    name: str
    content: BinaryIO


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a file that was looked at."""

    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Keeper:
    """Takes files in, gives them out, and removes them."""

    pool: Pool
    keyring: Keyring
    objects: Objects
    scanner: Scanner
    clock: Clock

    async def take(self, draft: Draft, field: FilesField, incoming: Incoming) -> tuple[FileRow, bool]:
        """Keeps a file; returns it, and whether it had been there before. Raises Rejected or Unavailable."""
        if draft.submitted_at is not None:
            raise Rejected("already_submitted", reference=draft.reference)
        looked = await asyncio.to_thread(look_at, incoming, field)
        await self.scanner.scan(_pieces(incoming.content))
        key = await self._key(draft.person)
        row = await self._reserved(draft, field, incoming, looked, key)
        if row.state != "receiving":
            return row, True
        try:
            await self.objects.put(row.object, sealed(_pieces(incoming.content), key, row.object))
        except (Unavailable, asyncio.CancelledError):
            async with self.pool.connection() as connection:
                await table.release(connection, row.id, self.clock())
            raise
        if await self._stored(draft, row):
            return row, False
        async with self.pool.connection() as connection:
            there = await table.find(connection, row.id)
        if there is not None:
            return there, True
        await self.objects.delete(row.object)
        raise NotFound("file_not_found")

    async def give(self, row: FileRow) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises NotFound when its person was erased, and ObjectLost on the way."""
        return opened(self.objects.get(row.object), await self._key(row.person), row.object)

    async def drop(self, draft: Draft, file_id: str) -> None:
        """Takes a file back out of a draft. Raises NotFound, and Rejected once the draft was sent."""
        if draft.submitted_at is not None:
            raise Rejected("already_submitted", reference=draft.reference)
        async with self.pool.connection() as connection, connection.transaction():
            await touch(connection, draft.id, self.clock())
            if not await table.doom(connection, draft.id, file_id, self.clock()):
                raise NotFound("file_not_found")

    async def of(self, submission_id: str) -> list[FileRow]:
        """The files of a submission whose bytes are there."""
        async with self.pool.connection() as connection:
            rows = await table.of_submission(connection, submission_id)
        return [row for row in rows if row.state != "receiving"]

    async def name_of(self, row: FileRow) -> str:
        """How a file is called; a plain word once its person was erased."""
        keys = await self.keyring.find([row.person])
        plain = open_sealed(Sealed.model_validate(row.name), keys[row.person]) if keys and row.name else None
        return str(orjson.loads(plain)) if plain else "file"

    async def _key(self, person: str) -> bytes:
        keys = await self.keyring.provide([person])
        if person not in keys:
            raise NotFound("submission_not_found")
        return keys[person]

    async def _stored(self, draft: Draft, row: FileRow) -> bool:
        """Notes that the bytes are there; False when the file was given up, or sent, by somebody else meanwhile."""
        async with self.pool.connection() as connection, connection.transaction():
            await touch(connection, draft.id, self.clock())
            return await table.stored(connection, row.id, self.clock())

    async def _reserved(
        self, draft: Draft, field: FilesField, incoming: Incoming, looked: Looked, key: bytes
    ) -> FileRow:
        """The place of a file: a new one where the field and the submission have room, or that of its first try."""
        async with self.pool.connection() as connection, connection.transaction():
            if not await lock_open(connection, draft.id):
                raise Rejected("already_submitted", reference=draft.reference)
            before = await table.find_upload(connection, draft.id, incoming.upload_id)
            if before is not None:
                if (before.sha256, before.field) != (looked.sha256, incoming.field_name):
                    raise Rejected("upload_id_reused")
                return before
            others = await table.of_submission(connection, draft.id)
            _refuse_excess(field, incoming.field_name, looked, others)
            id_ = uuid4().hex
            row = FileRow(
                id=id_,
                submission_id=draft.id,
                upload_id=incoming.upload_id,
                field=incoming.field_name,
                person=draft.person,
                subject=draft.subject,
                contact_id=draft.contact_id,
                object=f"{FOLDER}/{draft.id}/{id_}",
                name=seal(shown_name(incoming.name), draft.person, key).model_dump(),
                media_type=looked.media_type,
                size_bytes=looked.size_bytes,
                sha256=looked.sha256,
                state="receiving",
                changed_at=self.clock(),
            )
            await table.add(connection, row)
            return row


def look_at(incoming: Incoming, field: FilesField) -> Looked:
    """Checks size, content and name of a file. Raises Rejected. Reads the whole file: not for the event loop."""
    content = incoming.content
    size = content.seek(0, os.SEEK_END)
    limit = field.max_megabytes * 1024 * 1024
    if size > limit:
        raise Rejected("invalid_file_too_large", limit_megabytes=field.max_megabytes)
    if size == 0:
        raise Rejected("invalid_file_empty")
    content.seek(0)
    kind = kind_of(content.read(HEAD_BYTES))
    if kind is None or kind not in field.accept:
        raise Rejected("invalid_file_kind", possible=list(field.accept))
    extension = extension_of(incoming.name)
    if extension not in KINDS[kind].extensions:
        raise Rejected("invalid_file_name", extension=extension[:20] or "?", kind=kind)
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    return Looked(KINDS[kind].media_type, size, digest.hexdigest())


def shown_name(name: str) -> str:
    """A file's name without folders and without what no name should have, its extension in small letters."""
    base = name.replace("\\", "/").rpartition("/")[2]
    stem = "".join(letter for letter in base if letter.isprintable() and letter not in '<>:"|?*').strip(". ")
    extension = extension_of(stem)
    stem = stem[: -len(extension) - 1].strip() if extension else stem
    return f"{stem[:MAXIMUM_NAME] or 'file'}.{extension}" if extension else stem[:MAXIMUM_NAME] or "file"


def _refuse_excess(field: FilesField, name: str, looked: Looked, others: list[FileRow]) -> None:
    if sum(row.field == name for row in others) >= field.max:
        raise Rejected("invalid_too_many_files", limit=field.max)
    if len(others) >= table.MAXIMUM_PER_SUBMISSION:
        raise Rejected("invalid_too_many_files", limit=table.MAXIMUM_PER_SUBMISSION)
    if sum(row.size_bytes for row in others) + looked.size_bytes > MAXIMUM_SUBMISSION_BYTES:
        raise Rejected("invalid_files_too_large", limit_megabytes=MAXIMUM_SUBMISSION_BYTES // 1024**2)


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    content.seek(0)
    while piece := content.read(PIECE_BYTES):
        yield piece
