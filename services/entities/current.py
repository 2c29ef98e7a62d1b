"""The schemas as they are now: the last one published, or the one that comes with Portico."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.errors import NotFound
from chassis.log import EventLog
from contracts.base import decode
from contracts.entities import SchemaPublished
from contracts.ids import stream
from services.entities.schema import Definition, Definitions, Schema

STREAM = "schema"


class Schemas:
    """Asked each time, since somebody may publish another at any moment; a document is read once a version."""

    def __init__(self, log: EventLog, packaged: Definitions) -> None:
        self.packaged = packaged
        self._log = log
        self._read: dict[str, Definition] = {}

    async def find(self, entity: str) -> Definition | None:
        """The schema of an entity with its document, or None when there is no such entity."""
        return (await self.find_all([entity])).get(entity)

    async def find_all(self, entities: Iterable[str]) -> dict[str, Definition]:
        """The schemas of those entities that there are."""
        wanted = sorted(set(entities))
        streams = await self._log.load([stream(STREAM, entity) for entity in wanted]) if wanted else {}
        found: dict[str, Definition] = {}
        for entity in wanted:
            records = streams.get(stream(STREAM, entity))
            if records:
                found[entity] = self._definition(entity, records[-1].version, records[-1].type, records[-1].data)
            elif entity in self.packaged:
                found[entity] = self.packaged[entity]
        return found

    async def get(self, entity: str) -> Schema:
        """The schema of an entity; raises NotFound."""
        found = await self.find(entity[:40])
        if found is None:
            raise NotFound("entity_unknown", entity=entity[:40])
        return found.schema

    def _definition(self, entity: str, version: int, event_type: str, data: bytes) -> Definition:
        known = self._read.get(entity)
        if known is not None and known.version == version:
            return known
        event = decode(event_type, data)
        if not isinstance(event, SchemaPublished):
            raise TypeError(f"{entity}: {event_type} is no schema")
        read = Definition(Schema.model_validate(event.definition), event.definition, version)
        self._read[entity] = read
        return read
