"""HTTP in: records one by one and page by page; what a portal user sees and changes of those that are his."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from contracts.common import Json
from contracts.ids import record_id, stream
from services.entities.access import Access, Owner
from services.entities.current import Schemas
from services.entities.records import views
from services.entities.records.decider import ChangeRecord, DeleteRecord, decider_of
from services.entities.records.history import Entry, entries
from services.entities.records.views import RecordDocument, Records, Wanted
from services.entities.records.writer import effect_of, existing, write_row
from services.entities.rows import Effect, read_row
from services.entities.schema import Schema
from services.entities.values import parse

PAGE = 100
MAXIMUM_PAGE = 500
MAXIMUM_RELATED = 1_000
USERS = ("customer", "installer")

Entity = Annotated[str, Path(max_length=40, description="The schema, e.g. contact or contract")]
Id = Annotated[str, Path(min_length=1, max_length=100, description="The record's id")]
AnyId = Annotated[str, Path(min_length=1, max_length=200, description="The record's id, or its external id")]
ExternalId = Annotated[str, Path(min_length=1, max_length=200, description="The id in the system it comes from")]
Reader = Annotated[Principal, Depends(allow("staff", "operator"))]
Viewer = Annotated[Principal, Depends(allow("customer", "installer", "staff", "operator"))]
Writer = Annotated[Principal, Depends(allow("staff", "operator", "erp"))]
Where = Annotated[
    tuple[Annotated[str, Field(max_length=200)], ...],
    Query(max_length=10, description="`name:value` of an attribute that is not personal, or of a relation"),
]
FindAccess = Callable[[Principal, Schema], Awaitable[Access | None]]
"""What a caller may see and change of records; None for staff, who may see and change them all."""


class RecordPage(BaseModel):
    """Some records in a stable order."""

    items: list[RecordDocument]
    next: str | None = Field(description="Where the next page begins: `after`; null at the end")


class PutAnswer(BaseModel):
    """What a put or a patch brought about."""

    id: str
    effect: Effect
    version: int


class Related(BaseModel):
    """The records that a relation leads to from now on."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MAXIMUM_RELATED)] = Field(
        description="Ids of records"
    )


class History(BaseModel):
    """What happened to a record, the newest first."""

    items: list[Entry]
    next: int | None = Field(description="`before` of the next page; null on the last one")


def router(
    schemas: Schemas, streams: Streams, records: Records, *, access_of: FindAccess, fresh: Callable[..., Any]
) -> APIRouter:
    """`fresh` is the dependency that waits until the view has the position which the caller has seen."""
    api = APIRouter(tags=["records"])
    _add_relations_and_history(api, schemas, streams)
    _add_reading(api, schemas, records, access_of, fresh)
    _add_writing(api, schemas, streams, records, access_of=access_of, fresh=fresh)
    return api


def _add_relations_and_history(api: APIRouter, schemas: Schemas, streams: Streams) -> None:
    """Their paths come before those in which the rest is an external id."""

    @api.get("/records/{entity}/{id}/history")
    async def history(
        entity: Entity,
        id: Id,  # noqa: A002
        _: Reader,
        before: Annotated[int | None, Query(ge=1, description="Only versions before this one")] = None,
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = PAGE,
    ) -> History:
        """Every event of a record: when, by whom and why, and each value before and after."""
        await schemas.get(entity)
        found = entries(await streams.history(stream(entity, id)))
        if not found:
            raise NotFound("record_not_found", entity=entity)
        items = [each for each in found if before is None or each.version < before]
        more = len(items) > limit
        return History(items=items[:limit], next=items[limit - 1].version if more else None)

    @api.put("/records/{entity}/{id}/relations/{relation}")
    async def relate(
        entity: Entity,
        id: Id,  # noqa: A002
        relation: Annotated[str, Path(max_length=40)],
        body: Related,
        *,
        request: CommandRequest,
        response: Response,
        _: Reader,
    ) -> PutAnswer:
        """Lets a relation lead to exactly these records; personal values go along with their person."""
        schema = await schemas.get(entity)
        described = schema.relations.get(relation)
        if described is None:
            raise NotFound("relation_unknown", relation=relation)
        ids = tuple(dict.fromkeys(body.to))
        there = await existing(streams.log, {stream(described.to, each) for each in ids})
        for each in ids:
            if stream(described.to, each) not in there:
                raise Rejected("unknown_record", id=each, entity=described.to)
        command = ChangeRecord(id, {}, {relation: ids})
        outcome = await streams.execute(decider_of(schema), id, command, request)
        answer(response, outcome)
        return PutAnswer(id=id, effect=effect_of(outcome.events), version=outcome.version)


def _add_reading(
    api: APIRouter, schemas: Schemas, records: Records, access_of: FindAccess, fresh: Callable[..., Any]
) -> None:
    @api.get("/records/{entity}", dependencies=[Depends(fresh)])
    async def list_records(
        entity: Entity,
        _: Reader,
        *,
        external_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        ids: Annotated[str | None, Query(max_length=10_000, description="Those with these ids, by commas")] = None,
        search: Annotated[str, Query(max_length=200, description="Beginnings of words, all of them")] = "",
        where: Where = (),
        after: Annotated[str, Query(max_length=40)] = "",
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = PAGE,
    ) -> RecordPage:
        """The records of an entity: all, those that are wanted, or those with certain ids."""
        schema = await schemas.get(entity)
        if external_id is not None or ids is not None:
            named = [record_id(entity, external_id)] if external_id else (ids or "").split(",")[:MAXIMUM_PAGE]
            living = await views.find_records(records, entity, filter(str.isprintable, named))
            return RecordPage(items=list(living), next=None)
        items = await views.list_records(records, entity, after, limit + 1, wanted_of(schema, search, where))
        page = items[:limit]
        return RecordPage(items=list(page), next=page[-1].id if len(items) > limit else None)

    @api.get("/records/{entity}/{key:path}", dependencies=[Depends(fresh)])
    async def record(entity: Entity, key: AnyId, response: Response, principal: Viewer) -> RecordDocument:
        """One record; a portal user sees his own, and of them what his portal permits. Its ETag is for If-Match."""
        schema = await schemas.get(entity)
        found = await views.find_record(records, entity, key)
        found = found or await views.find_record(records, entity, record_id(entity, key))
        access = await access_of(principal, schema)
        if found is None or (access and not access.owner.owns(schema, found.id, found.relations)):
            raise NotFound("record_not_found", entity=entity)
        response.headers["ETag"] = f'"{found.version}"'
        response.headers["Cache-Control"] = "private, no-store"
        return found.seen(access.see, schema.external_id) if access else found


def _add_writing(
    api: APIRouter,
    schemas: Schemas,
    streams: Streams,
    records: Records,
    *,
    access_of: FindAccess,
    fresh: Callable[..., Any],
) -> None:
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
        schema = await schemas.get(entity)
        outcome, written = await write_row(streams, schema, read_row(schema, values, key), request)
        answer(response, outcome)
        if written.effect == "created":
            response.status_code = 201
        return PutAnswer(id=written.id, effect=written.effect, version=outcome.version)

    @api.patch("/records/{entity}/{id}", dependencies=[Depends(fresh)])
    async def patch_record(
        entity: Entity,
        id: Id,  # noqa: A002
        values: Annotated[dict[str, Any], Body(max_length=400, examples=[{"phone": "+49 3573 4711"}])],
        *,
        request: CommandRequest,
        response: Response,
        principal: Viewer,
    ) -> PutAnswer:
        """Changes attributes of a record, all or none of them. A portal user changes of his own what is permitted."""
        schema = await schemas.get(entity)
        access = await access_of(principal, schema)
        command = ChangeRecord(id, values, access=access, acting=principal.actor is not None)
        outcome = await streams.execute(decider_of(schema), id, command, request)
        answer(response, outcome)
        return PutAnswer(id=id, effect=effect_of(outcome.events), version=outcome.version)

    @api.delete("/records/{entity}/{key:path}", status_code=204)
    async def delete_record(
        entity: Entity, key: ExternalId, request: CommandRequest, response: Response, _: Writer
    ) -> None:
        """Deletes a record. A person stays while others belong to it, e.g. a contact while it holds contracts."""
        id_ = record_id(entity, key)
        decider = decider_of(await schemas.get(entity))
        if await views.belongs_to_others(records, entity, id_):
            raise Rejected("record_in_use", entity=entity)
        answer(response, await streams.execute(decider, id_, DeleteRecord(id_), request))


def wanted_of(schema: Schema, search: str, where: Iterable[str]) -> Wanted:
    """Which records are meant. Raises Rejected for a name that cannot be looked for, or a value that it cannot have."""
    attributes: dict[str, Json] = {}
    relations: dict[str, str] = {}
    for each in where:
        name, _, value = each.partition(":")
        attribute = schema.attributes.get(name)
        if name in schema.relations and value.isprintable():
            relations[name] = value
        elif attribute is None or attribute.personal or not value:
            raise Rejected("invalid_filter", attribute=name)
        else:
            found = parse(name, attribute, value)
            attributes[name] = found if attribute.type != "choices" or isinstance(found, list) else [found]
    return Wanted(search, attributes, relations)


def owner_of(principal: Principal) -> Owner | None:
    """Whose records a caller sees and changes; None for staff."""
    if principal.role not in USERS:
        return None
    return Owner(principal.contact_id, "installer" if principal.role == "installer" else "customer")
