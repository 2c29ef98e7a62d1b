"""Every entity that somebody has published a schema of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.entities import SchemaPublished
from contracts.envelope import Envelope

MAXIMUM_ENTITIES = 500


class PublishedEntity(BaseModel):
    """An entity by its name."""

    model_config = ConfigDict(frozen=True)

    entity: str


def _key(envelope: Envelope) -> str | None:
    return envelope.event.entity if isinstance(envelope.event, SchemaPublished) else None


def _evolve(known: PublishedEntity | None, envelope: Envelope) -> PublishedEntity | None:
    return PublishedEntity(entity=envelope.event.entity) if isinstance(envelope.event, SchemaPublished) else known


ENTITIES = View("entities", 1, PublishedEntity, (SchemaPublished,), _key, _evolve)


async def published(entities: ViewReader[PublishedEntity]) -> list[str]:
    """The names of those entities, `MAXIMUM_ENTITIES` at most."""
    return [each.entity for each in await entities.find("true", [], limit=MAXIMUM_ENTITIES)]
