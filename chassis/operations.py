"""What operators ask every service: is it alive, is it ready, how far behind is it, what is parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound

if TYPE_CHECKING:
    from chassis.consumer import Consumer
    from chassis.service import Service

Operator = Annotated[Principal, Depends(allow("operator"))]


class ParkedStream(BaseModel):
    """A stream of which a consumer could not apply an event; later events of the stream wait behind it."""

    consumer: str = Field(examples=["view:contract_page:v1"])
    stream: str = Field(examples=["instalments/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"])


class Handled(BaseModel):
    """How many parked records were applied or given up."""

    records: int


def router(service: Service) -> APIRouter:
    """Health for the platform, status and parked events for operators."""
    routes = APIRouter(tags=["operations"])

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

    @routes.get("/ops/status", summary="Relay backlog, consumer lag and parked events")
    async def status(_: Operator) -> dict[str, Any]:
        return await service.status()

    @routes.post("/ops/parked/retry", summary="Apply the parked events of a stream again, in order")
    async def retry(parked: ParkedStream, _: Operator) -> Handled:
        return Handled(records=await _consumer(service, parked.consumer).retry(parked.stream))

    @routes.post("/ops/parked/drop", summary="Give up the first parked event of a stream")
    async def drop(parked: ParkedStream, _: Operator) -> Handled:
        return Handled(records=await _consumer(service, parked.consumer).drop(parked.stream))

    return routes


def _consumer(service: Service, name: str) -> Consumer:
    for consumer in service.consumers:
        if consumer.source.name == name:
            return consumer
    raise NotFound("unknown_consumer", consumer=name)
