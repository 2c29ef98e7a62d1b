"""A journey under way: where it is shown, whose it is, and the calls that go to its submission."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile

from gateway.api import Away, Refused
from gateway.visit import Caller, Visit

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Run:
    """`base` is the address below which its pages are; `secret` opens what was begun without signing in."""

    visit: Visit
    id: str
    base: str
    layout: str
    secret: str | None = None
    start: str = "/"

    @property
    def caller(self) -> Caller:
        return self.visit.as_gateway if self.secret else self.visit

    @property
    def path(self) -> str:
        return f"/submissions/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Portico-Draft": self.secret} if self.secret else {}

    async def load(self) -> dict[str, Any]:
        """The submission as it stands."""
        found: dict[str, Any] = (await self.caller.send("GET", "journeys", self.path, self.headers)).json()
        return found

    async def keep(self, step: str, answers: Mapping[str, Any], *, as_typed: bool = False) -> dict[str, Any]:
        """Answers a step; `as_typed` keeps also what is wrong or missing. Raises Refused."""
        body = {"answers": answers, "as_typed": as_typed}
        found: dict[str, Any] = await self.caller.put("journeys", f"{self.path}/steps/{step}", body, **self.headers)
        return found

    async def send(self) -> str:
        """Sends the submission; returns its reference. Raises Refused."""
        sent = await self.caller.post("journeys", f"{self.path}/submit", **self.headers)
        return str(sent["reference"])

    async def take(self, field: str, file: UploadFile, upload_id: str) -> dict[str, Any]:
        """Sends a file; the same one again under the same id is there once. Raises Refused."""
        await file.seek(0)
        part = (file.filename or "file", file.file, file.content_type or "application/octet-stream")
        form = {"field": field, "upload_id": upload_id}
        path = f"{self.path}/files"
        answer = await self.caller.send("POST", "journeys", path, self.headers, data=form, files={"file": part})
        found: dict[str, Any] = answer.json()
        return found

    async def drop(self, file_id: str) -> None:
        """Takes a file back out; one that is gone already is fine."""
        try:
            await self.caller.delete("journeys", f"{self.path}/files/{file_id}", **self.headers)
        except Refused as refused:
            if refused.status != 404:
                raise

    async def content(self) -> dict[str, Any] | None:
        """What was sent, as the API tells it to whoever is signed in."""
        if self.secret:
            return None
        found: dict[str, Any] = await self.visit.get("journeys", f"{self.path}/content")
        return found

    async def record(self, shown: Mapping[str, Any]) -> dict[str, Any] | None:
        """The contract that it is about; None when there is none, or it cannot be shown now."""
        ref = shown["context"]
        if not ref or ref["entity"] != "contract" or self.secret:
            return None
        try:
            found: dict[str, Any] = await self.visit.get("portal", f"/contracts/{ref['id']}")
        except (Away, Refused):
            return None
        return found

    async def endings(self, shown: Mapping[str, Any], wished: Any) -> dict[str, Any] | None:
        """When the contract can end, and why; None when nobody can say now."""
        ref = shown["context"]
        if not ref or ref["entity"] != "contract" or self.secret:
            return None
        path = f"/contracts/{ref['id']}/cancellation-preview"
        for query in ({"ends_on": wished}, {}) if wished else ({},):
            try:
                found: dict[str, Any] = await self.visit.get("billing", path, **query)
            except Refused:
                continue
            except Away:
                return None
            return found
        return None

    async def reason(self, shown: Mapping[str, Any]) -> str | None:
        """Why the portal does not offer the action any more, in its own words."""
        if self.secret or not shown["action"] or not shown["context"]:
            return None
        try:
            await self.visit.post("portal", "/tickets", {"action": shown["action"], "record": shown["context"]})
        except Refused as refused:
            return refused.detail
        return None


async def upload_id_of(press: str, field: str, file: UploadFile) -> str:
    """The same for every repetition of one press with one file."""
    digest = hashlib.sha256(f"{press} {field}".encode())
    await file.seek(0)
    while piece := await file.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()[:32]
