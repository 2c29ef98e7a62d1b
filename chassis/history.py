"""What happened in streams, for staff: every service answers it alike, and opens nothing that is sealed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import STAFF, Principal, allow
from chassis.errors import Rejected
from chassis.log import MAXIMUM_STREAM_BYTES
from contracts.common import Json
from contracts.envelope import Record

if TYPE_CHECKING:
    from chassis.service import Service

MAXIMUM_STREAMS = 100
PAGE = 50
MAXIMUM_PAGE = 200

StreamName = Annotated[str, Field(min_length=1, max_length=MAXIMUM_STREAM_BYTES)]
Names = Annotated[
    tuple[StreamName, ...],
    Query(
        alias="stream",
        min_length=1,
        max_length=MAXIMUM_STREAMS,
        description="A stream of this service; given several times, they are told as one",
        examples=[["instalments/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"]],
    ),
]


class HistoryEvent(BaseModel):
    """An event as it is stored."""

    position: str = Field(examples=["billing/2:1234"])
    stream: str = Field(examples=["instalments/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"])
    version: int = Field(description="Its place in the stream, from 1 on")
    type: str = Field(examples=["portico.billing.InstalmentChanged.v1"])
    time: datetime
    actor: str | None = Field(description="Who did it; null when it followed from another event")
    acted_as: str | None = Field(description="The portal user as whom a member of staff did it")
    cause: str | None = Field(description="The position of the event that it followed from")
    correlation_id: str | None
    data: dict[str, Json] = Field(description="Personal values are sealed: {sealed, box}")

    @classmethod
    def of(cls, record: Record) -> HistoryEvent:
        return cls(
            position=str(record.position),
            stream=record.stream,
            version=record.version,
            type=record.type,
            time=record.time,
            actor=record.metadata.actor,
            acted_as=record.metadata.acted_as,
            cause=record.metadata.causation_id,
            correlation_id=record.metadata.correlation_id,
            data=orjson.loads(record.data),
        )


class HistoryPage(BaseModel):
    """Events of the streams, the newest first."""

    items: list[HistoryEvent]
    next: str | None = Field(description="`before` of the next page; null on the last one")


def router(service: Service) -> APIRouter:
    api = APIRouter(tags=["operations"])

    @api.get("/history", summary="What happened in streams of this service, the newest first")
    async def history(
        _: Annotated[Principal, Depends(allow(*STAFF))],
        streams: Names,
        response: Response,
        before: Annotated[str | None, Query(max_length=60, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = PAGE,
    ) -> HistoryPage:
        """A stream without events is none; who changed what of a record, entities tells in its own history."""
        loaded = await service.log.load(sorted(set(streams)))
        records = sorted((each for stream in loaded.values() for each in stream), key=_newest, reverse=True)
        behind = _behind(records, before)
        page = behind[:limit]
        response.headers["Cache-Control"] = "private, no-store"
        more = len(behind) > limit
        return HistoryPage(
            items=[HistoryEvent.of(each) for each in page], next=str(page[-1].position) if more else None
        )

    return api


def _newest(record: Record) -> tuple[datetime, int, int]:
    return record.time, record.position.shard, record.position.sequence


def _behind(records: list[Record], before: str | None) -> list[Record]:
    """The records that come after one. Raises Rejected when it is not among them."""
    if before is None:
        return records
    for place, record in enumerate(records):
        if str(record.position) == before:
            return records[place + 1 :]
    raise Rejected("invalid_position", position=before)
