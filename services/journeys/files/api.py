"""Files over HTTP: sent to a submission, taken back, and downloaded by those whose they are and by staff."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData, UploadFile

from chassis.errors import NotFound, Rejected
from services.journeys.definitions.views import Library
from services.journeys.files import table
from services.journeys.files.keeping import Incoming, Keeper
from services.journeys.files.table import FileRow
from services.journeys.form.fields import MAXIMUM_MEGABYTES, FilesField
from services.journeys.form.words import is_name
from services.journeys.submissions.access import USERS, Access, Caller
from services.journeys.submissions.api import Asking, SubmissionPath
from services.journeys.submissions.shown import ShownFile, shown_file

MAXIMUM_FORM_BYTES = (MAXIMUM_MEGABYTES + 1) * 1024 * 1024
FORM_SECONDS = 300
MAXIMUM_VALUE_BYTES = 1024
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["field", "upload_id", "file"],
                    "properties": {
                        "field": {"type": "string", "description": "The field that it answers"},
                        "upload_id": {
                            "type": "string",
                            "pattern": "^[A-Za-z0-9_-]{8,64}$",
                            "description": "Made up by the client: the same file sent again under it is one file",
                        },
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}
FilePath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The file's id")]


@dataclass(frozen=True)
class Cabinet:
    """What the routes need."""

    keeper: Keeper
    access: Access
    library: Library

    async def field_of(self, journey_id: str, version: int, name: str) -> FilesField:
        """The field that a file answers. Raises Rejected."""
        document = await self.library.version(journey_id, version)
        field = document.questions().get(name) if is_name(name) else None
        if not isinstance(field, FilesField):
            raise Rejected("invalid_file_field")
        return field

    async def find(self, file_id: str, caller: Caller) -> FileRow:
        """A file of the caller, or any for staff. Raises NotFound."""
        async with self.keeper.pool.connection() as connection:
            row = await table.find(connection, file_id)
        if row is None or not (_is_theirs(row, caller) or await self._is_of_their_draft(row, caller)):
            raise NotFound("file_not_found")
        return row

    async def _is_of_their_draft(self, row: FileRow, caller: Caller) -> bool:
        """Whether he has the secret of the draft; once it was sent, the secret opens no file any more."""
        if caller.secret is None or row.state != "stored":
            return False
        try:
            await self.access.open(row.submission_id, caller)
        except NotFound:
            return False
        return True


def _is_theirs(row: FileRow, caller: Caller) -> bool:
    principal = caller.principal
    if principal.is_staff:
        return True
    owns = row.subject == principal.subject if row.contact_id is None else row.contact_id == principal.contact_id
    return principal.role in USERS and owns


def router(cabinet: Cabinet) -> APIRouter:
    api = APIRouter(tags=["files"])

    @api.post(
        "/submissions/{submission_id}/files",
        status_code=201,
        summary="Send a file to a submission",
        openapi_extra=FORM,
        description="A form with `field`, `upload_id` (made up by the client) and `file`. After a connection that "
        "broke the same request can be sent again: the same file under the same `upload_id` is kept once.",
    )
    async def send_file(
        request: Request, response: Response, submission_id: SubmissionPath, asking: Asking
    ) -> ShownFile:
        draft = await cabinet.access.open(submission_id, asking)
        async with _form(request) as form:
            incoming = _incoming(form)
            field = await cabinet.field_of(draft.journey_id, draft.journey_version, incoming.field_name)
            row, repeated = await cabinet.keeper.take(draft, field, incoming)
        response.status_code = 200 if repeated else 201
        return shown_file(row, await cabinet.keeper.name_of(row))

    @api.delete("/submissions/{submission_id}/files/{file_id}", status_code=204, summary="Take a file back out")
    async def delete_file(submission_id: SubmissionPath, file_id: FilePath, asking: Asking) -> None:
        await cabinet.keeper.drop(await cabinet.access.open(submission_id, asking), file_id)

    @api.get("/files/{file_id}", summary="Download a file", response_class=StreamingResponse)
    async def get_file(file_id: FilePath, asking: Asking) -> StreamingResponse:
        row = await cabinet.find(file_id, asking)
        name = await cabinet.keeper.name_of(row)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Content-Length": str(row.size_bytes),
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        return StreamingResponse(await cabinet.keeper.give(row), headers=headers, media_type=row.media_type)

    return api


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """The parts of a form; a large file is on disk for as long as it is looked at."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise Rejected("unsupported_media_type")
    try:
        async with asyncio.timeout(FORM_SECONDS):
            form = await request.form(max_files=1, max_fields=2, max_part_size=MAXIMUM_VALUE_BYTES)
    except TimeoutError:
        raise Rejected("body_too_slow", limit_seconds=FORM_SECONDS) from None
    try:
        yield form
    finally:
        await form.close()


def _incoming(form: FormData) -> Incoming:
    """Raises Rejected for a form that lacks something."""
    field, upload_id, file = form.get("field"), form.get("upload_id"), form.get("file")
    if not isinstance(field, str) or not isinstance(upload_id, str) or not isinstance(file, UploadFile):
        raise Rejected("invalid_file_form")
    if not 8 <= len(upload_id) <= 64 or not upload_id.replace("-", "").replace("_", "").isalnum():
        raise Rejected("invalid_upload_id")
    return Incoming(upload_id, field, file.filename or "", file.file)
