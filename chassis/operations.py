"""What operators ask every service: is it alive, ready, how far behind, what is parked, and what they have it do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from chassis.applier import Applier
from chassis.auth import Principal, allow
from chassis.errors import NotFound
from chassis.parking import MAXIMUM_STREAMS

if TYPE_CHECKING:
    from chassis.service import Service

Operator = Annotated[Principal, Depends(allow("operator"))]


class ParkedStreams(BaseModel):
    """Streams of which a consumer could not apply an event; later events of a stream wait behind it."""

    consumer: str = Field(examples=["view:contract_page:v1"])
    stream: str | None = Field(
        default=None,
        examples=["instalments/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"],
        description="One stream; when left out, those of the consumer that wait longest, up to 100",
    )
    after: int = Field(default=0, ge=0, le=2**62, description="Without a stream: `next` of the answer before")


class Handled(BaseModel):
    """How many parked records were applied or given up, and how many streams of the consumer are parked still."""

    records: int
    streams_left: int
    next: int | None = Field(description="`after` of the next call for the streams behind these; null at the end")


class ViewName(BaseModel):
    """A view of this service."""

    view: str = Field(examples=["contract_page"])


class WantedRebuild(ViewName):
    """A view to build anew."""

    source: Literal["topic", "log"] = Field(default="topic", description="`log` when all its events are the service's")


class BegunRebuild(BaseModel):
    """A rebuild under way; GET /ops/views says how far it is."""

    id: int


def router(service: Service) -> APIRouter:
    """Health for the platform; status, parked events and views for operators."""
    routes = APIRouter(tags=["operations"])
    _add_health(routes, service)
    _add_parked(routes, service)
    _add_views(routes, service)
    return routes


def _add_health(routes: APIRouter, service: Service) -> None:
    @routes.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/health/ready", summary="Database, relay and consumers are at work")
    async def ready(response: Response) -> dict[str, Any]:
        parts = await service.readiness()
        is_ready = all(parts.values())
        response.status_code = 200 if is_ready else 503
        return {"status": "ready" if is_ready else "not ready", "parts": parts}

    @routes.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/ops/status", summary="Relay backlog, consumer lag, parked events and rebuilds under way")
    async def status(_: Operator) -> dict[str, Any]:
        return await service.status()


def _add_parked(routes: APIRouter, service: Service) -> None:
    @routes.get("/ops/parked", summary="Parked streams, each with the event that could not be applied")
    async def parked(_: Operator) -> dict[str, Any]:
        return {"items": [item for consumer in service.consumers for item in await consumer.applier.parking.listed()]}

    @routes.post("/ops/parked/retry", summary="Apply parked events again, each stream in order")
    async def retry(wanted: ParkedStreams, _: Operator) -> Handled:
        applier = _applier(service, wanted.consumer)
        return await _each(applier, wanted, applier.retry)

    @routes.post("/ops/parked/drop", summary="Give up the first parked event of each stream")
    async def drop(wanted: ParkedStreams, operator: Operator) -> Handled:
        applier = _applier(service, wanted.consumer)
        return await _each(applier, wanted, partial(applier.drop, actor=operator.subject))


async def _each(applier: Applier, wanted: ParkedStreams, handle: Callable[[str], Awaitable[int]]) -> Handled:
    if wanted.stream is not None:
        return Handled(records=await handle(wanted.stream), streams_left=await applier.parking.count(), next=None)
    streams = await applier.parking.streams(wanted.after)
    records = sum([await handle(stream) for _, stream in streams])
    more = streams[-1][0] if len(streams) == MAXIMUM_STREAMS else None
    return Handled(records=records, streams_left=await applier.parking.count(), next=more)


def _add_views(routes: APIRouter, service: Service) -> None:
    @routes.get("/ops/views", summary="Views, their sizes, and their last rebuilds")
    async def views(_: Operator) -> dict[str, Any]:
        return {"items": await service.views()}

    @routes.post("/ops/views/rebuild", status_code=202, summary="Build a view anew beside the live one")
    async def rebuild(wanted: WantedRebuild, operator: Operator) -> BegunRebuild:
        return BegunRebuild(id=await service.rebuilds.start(wanted.view, wanted.source, operator.subject))

    @routes.post("/ops/views/cancel", status_code=204, summary="Give up a rebuild")
    async def cancel(wanted: ViewName, operator: Operator) -> None:
        await service.rebuilds.cancel(wanted.view, operator.subject)


def _applier(service: Service, name: str) -> Applier:
    for consumer in service.consumers:
        if consumer.source.name == name:
            return consumer.applier
    raise NotFound("unknown_consumer", consumer=name)
