"""HTTP in: sealed values opened for those who may see them, recorded before they are shown."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, JsonValue, StringConstraints

from chassis.auth import Principal, allow
from chassis.http import CommandRequest, answer
from chassis.keyring import Sealer
from chassis.streams import Streams
from contracts.base import Sealed
from services.identity.reveals.decider import REVEALS, RecordReveal

MAXIMUM_BOXES = 1_000


class Box(Sealed):
    """A sealed value as it stands in an event."""

    sealed: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class Wanted(BaseModel):
    """What to open, and why."""

    boxes: list[Box] = Field(min_length=1, max_length=MAXIMUM_BOXES)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class Revealed(BaseModel):
    """The values in the order of the boxes; null where the person was erased or the box is not one of ours."""

    reveal_id: str
    values: list[JsonValue]


def router(streams: Streams, sealer: Sealer) -> APIRouter:
    api = APIRouter(tags=["persons"])

    @api.post("/reveal", summary="Open sealed values; who saw them, and why, is recorded")
    async def reveal(
        wanted: Wanted,
        request: CommandRequest,
        response: Response,
        principal: Annotated[Principal, Depends(allow("staff", "operator", "erp"))],
    ) -> Revealed:
        values = await sealer.reveal(wanted.boxes)
        command = RecordReveal(
            reveal_id=uuid.uuid4().hex,
            revealed_to=principal.responsible,
            reason=wanted.reason,
            persons=tuple(sorted({box.sealed for box in wanted.boxes})),
            values=sum(value is not None for value in values),
        )
        outcome = await streams.execute(REVEALS, command.reveal_id, command, request)
        answer(response, outcome)
        response.headers["Cache-Control"] = "no-store"
        (recorded,) = outcome.events
        return Revealed(reveal_id=recorded.reveal_id, values=values)  # type: ignore[attr-defined]

    return api
