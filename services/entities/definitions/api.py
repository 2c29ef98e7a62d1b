"""HTTP in: schemas are read and written as whole documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel

from chassis.auth import Principal, allow
from chassis.documents import InvalidDocument, Mistake, read_document
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import Texts, language_of
from chassis.views import ViewReader
from contracts.common import Json, Language
from services.entities.current import Schemas
from services.entities.definitions.changes import Change, breaking_changes
from services.entities.definitions.decider import SCHEMA, BreaksRecords, PublishSchema
from services.entities.definitions.views import PublishedEntity, published
from services.entities.schema import Flaw, Schema, flaws

Entity = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="The entity, e.g. contact or contract")]
Configurer = Annotated[Principal, Depends(allow("staff", "operator"))]
InUse = Callable[[str, str | None], Awaitable[bool]]
"""Whether there are records of an entity that have a value under a name, or records at all when that is None."""
Document = dict[str, Json]
EXAMPLE = {
    "entity": "lamp",
    "title": {"attribute": "code"},
    "attributes": {"code": {"type": "text", "unique": True}, "power": {"type": "number"}},
}


class SchemaList(BaseModel):
    """All schemas in force, as documents, in the order of their entities."""

    items: list[Document]


class PublishedSchema(BaseModel):
    """What is in force now. Version 0 came with Portico."""

    entity: str
    schema_version: int


def router(
    schemas: Schemas,
    streams: Streams,
    entities: ViewReader[PublishedEntity],
    *,
    in_use: InUse,
    texts: Texts,
    fresh: Callable[..., Any],
) -> APIRouter:
    """`fresh` waits until the list shows the position that the caller names."""
    api = APIRouter(tags=["schemas"])

    @api.get("/schemas", dependencies=[Depends(fresh)])
    async def list_schemas(_: Configurer) -> SchemaList:
        """Those that come with Portico and those that were published."""
        names = {*schemas.packaged, *await published(entities)}
        found = await schemas.find_all(names)
        return SchemaList(items=[dict(found[name].document) for name in sorted(found)])

    @api.get("/schemas/{entity}")
    async def schema(entity: Entity, response: Response, _: Annotated[Principal, Depends(allow())]) -> Document:
        """What an entity looks like, as the document that was written. Its ETag is the version that If-Match names."""
        found = await schemas.find(entity)
        if found is None:
            raise NotFound("entity_unknown", entity=entity)
        response.headers["ETag"] = f'"{found.version}"'
        return dict(found.document)

    @api.put("/schemas/{entity}")
    async def publish(
        entity: Entity,
        body: Annotated[dict[str, Any], Body(max_length=100, examples=[EXAMPLE])],
        http: Request,
        request: CommandRequest,
        response: Response,
        _: Configurer,
    ) -> PublishedSchema:
        """Puts a schema in force. It may grow; what records hold values of must stay as it is."""
        language = language_of(http.headers.get("accept-language"))
        wanted = read_document(Schema, body, language)
        known = await schemas.find_all({entity, *(relation.to for relation in wanted.relations.values())})
        wrong = [*_flaws_of_place(entity, wanted, known), *flaws(wanted)]
        if wrong:
            raise InvalidDocument([_told(flaw.path, flaw, texts, language) for flaw in wrong])
        before = known[entity].schema if entity in known else None
        changes = breaking_changes(before, wanted) if before else []
        broken = frozenset([change for change in changes if await in_use(entity, change.name)])
        packaged = schemas.packaged[entity].schema if entity in schemas.packaged else None
        command = PublishSchema(wanted, body, packaged, broken)
        try:
            outcome = await streams.execute(SCHEMA, entity, command, request)
        except BreaksRecords as refused:
            raise InvalidDocument(_breaks(refused.changes, texts, language)) from refused
        answer(response, outcome)
        return PublishedSchema(entity=entity, schema_version=outcome.version)

    return api


def _flaws_of_place(entity: str, wanted: Schema, known: Iterable[str]) -> list[Flaw]:
    """The document is that of its address, and its relations lead to entities that there are."""
    found = [Flaw("entity", "schema_entity_differs", {"entity": entity})] if wanted.entity != entity else []
    there = {*known, wanted.entity}
    return found + [
        Flaw(f"relations.{name}.to", "schema_unknown_entity", {"name": relation.to})
        for name, relation in wanted.relations.items()
        if relation.to not in there
    ]


def _told(path: str, flaw: Flaw, texts: Texts, language: Language) -> Mistake:
    return Mistake(path, texts.say(flaw.code, language, flaw.facts) or flaw.code)


def _breaks(changes: Iterable[Change], texts: Texts, language: Language) -> list[Mistake]:
    told = (Mistake(change.path, texts.say(change.code, language) or change.code) for change in changes)
    return list(dict.fromkeys(told))
