"""HTTP in: schemas, records one by one and page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from contracts.ids import record_id
from services.entities.records import views
from services.entities.records.decider import DeleteRecord, decider_of
from services.entities.records.views import RecordDocument, Records
from services.entities.records.writer import write_row
from services.entities.rows import Effect, read_row
from services.entities.schema import Schema, Schemas

PAGE = 100
MAXIMUM_PAGE = 500

Entity = Annotated[str, Path(max_length=40, description="The schema, e.g. contact or contract")]
AnyId = Annotated[str, Path(min_length=1, max_length=200, description="The record's id, or its external id")]
ExternalId = Annotated[str, Path(min_length=1, max_length=200, description="The id in the system it comes from")]
Reader = Annotated[Principal, Depends(allow("staff", "operator"))]
Writer = Annotated[Principal, Depends(allow("staff", "operator", "erp"))]


class RecordPage(BaseModel):
    """Some records in a stable order."""

    items: list[RecordDocument]
    next: str | None = Field(description="Where the next page begins: `after`; null at the end")


class PutAnswer(BaseModel):
    """What a put brought about."""

    id: str
    effect: Effect
    version: int


def router(schemas: Schemas, streams: Streams, records: Records, fresh: Callable[..., Any]) -> APIRouter:
    """`fresh` is the dependency that waits until the view has the position which the caller has seen."""
    api = APIRouter(tags=["records"])

    @api.get("/schemas/{entity}")
    async def schema(entity: Entity, _: Annotated[Principal, Depends(allow())]) -> Schema:
        """What an entity looks like."""
        return schema_of(schemas, entity)

    @api.get("/records/{entity}", dependencies=[Depends(fresh)])
    async def list_records(
        entity: Entity,
        _: Reader,
        external_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        after: Annotated[str, Query(max_length=40)] = "",
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = PAGE,
    ) -> RecordPage:
        """The records of an entity, or the one with an external id."""
        schema_of(schemas, entity)
        if external_id is not None:
            found = await views.find_record(records, entity, record_id(entity, external_id))
            return RecordPage(items=[found] if found else [], next=None)
        items = await views.list_records(records, entity, after, limit + 1)
        page = items[:limit]
        return RecordPage(items=page, next=page[-1].id if len(items) > limit else None)

    @api.get("/records/{entity}/{key:path}", dependencies=[Depends(fresh)])
    async def record(entity: Entity, key: AnyId, response: Response, _: Reader) -> RecordDocument:
        """One record. Its ETag is the version that If-Match names."""
        schema_of(schemas, entity)
        found = await views.find_record(records, entity, key)
        found = found or await views.find_record(records, entity, record_id(entity, key))
        if found is None:
            raise NotFound("record_not_found", entity=entity)
        response.headers["ETag"] = f'"{found.version}"'
        response.headers["Cache-Control"] = "private, no-store"
        return found

    @api.put("/records/{entity}/{key:path}")
    async def put_record(
        entity: Entity,
        key: ExternalId,
        values: Annotated[dict[str, Any], Body(max_length=400, description="Like one row of an import")],
        request: CommandRequest,
        response: Response,
        _: Writer,
    ) -> PutAnswer:
        """Creates or changes a record: what is not named stays, null removes. Relations are given by external ids."""
        schema = schema_of(schemas, entity)
        outcome, written = await write_row(streams, schema, read_row(schema, values, key), request)
        answer(response, outcome)
        if written.effect == "created":
            response.status_code = 201
        return PutAnswer(id=written.id, effect=written.effect, version=outcome.version)

    @api.delete("/records/{entity}/{key:path}", status_code=204)
    async def delete_record(
        entity: Entity, key: ExternalId, request: CommandRequest, response: Response, _: Writer
    ) -> None:
        """Deletes a record. A person stays while others belong to it, e.g. a contact while it holds contracts."""
        id_ = record_id(entity, key)
        decider = decider_of(schema_of(schemas, entity))
        if await views.belongs_to_others(records, entity, id_):
            raise Rejected("record_in_use", entity=entity)
        answer(response, await streams.execute(decider, id_, DeleteRecord(id_), request))

    return api


def schema_of(schemas: Schemas, entity: str) -> Schema:
    """The schema of an entity; raises NotFound."""
    found = schemas.get(entity)
    if found is None:
        raise NotFound("entity_unknown", entity=entity[:40])
    return found
