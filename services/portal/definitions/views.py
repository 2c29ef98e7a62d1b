"""What is published now: the shape of each entity, and all journeys together, since rules of pages ask for several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.common import Text
from contracts.entities import SchemaPublished
from contracts.envelope import Envelope
from contracts.ids import stream
from contracts.journeys import Access, JourneyPublished, JourneyWithdrawn
from services.portal.definitions.shape import Shape, shape_of, unknown_shape

JOURNEYS = "journeys"
MAXIMUM_DEFINITIONS = 200


class Journey(BaseModel):
    """A journey by its newest version. One that was withdrawn keeps its title for what was submitted with it."""

    model_config = ConfigDict(frozen=True)

    title: Text
    access: Access
    context: str | None
    withdrawn: bool = False


class Definition(BaseModel):
    """The shape of an entity, or all journeys by their id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    shape: Shape | None = None
    journeys: dict[str, Journey] = {}


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case SchemaPublished(entity=entity):
            return schema_key(entity)
        case JourneyPublished() | JourneyWithdrawn():
            return JOURNEYS
        case _:
            return None


def evolve(before: Definition | None, envelope: Envelope) -> Definition | None:
    journeys = before.journeys if before else {}
    match envelope.event:
        case SchemaPublished() as event:
            return Definition(shape=shape_of(event.entity, event.definition))
        case JourneyPublished() as event:
            published = Journey(title=event.title, access=event.access, context=event.context)
            return _sorted({**journeys, event.journey_id: published})
        case JourneyWithdrawn(journey_id=journey_id) if journey_id in journeys:
            withdrawn = journeys[journey_id].model_copy(update={"withdrawn": True})
            return _sorted({**journeys, journey_id: withdrawn})
        case _:
            return before


def schema_key(entity: str) -> str:
    return stream("schema", entity)


def _sorted(journeys: dict[str, Journey]) -> Definition:
    """The same whatever the order in which the streams of journeys came."""
    return Definition(journeys=dict(sorted(journeys.items())))


DEFINITIONS = View("definitions", 1, Definition, (SchemaPublished, JourneyPublished, JourneyWithdrawn), key, evolve)

Definitions = ViewReader[Definition]


@dataclass(frozen=True, slots=True)
class Known:
    """Definitions at hand."""

    shapes: Mapping[str, Shape]
    journeys: Mapping[str, Journey]

    @classmethod
    def of(cls, found: list[Definition]) -> Known:
        shapes = {each.shape.entity: each.shape for each in found if each.shape}
        return cls(shapes, {id_: journey for each in found for id_, journey in each.journeys.items()})

    def shape(self, entity: str) -> Shape:
        """The shape of an entity, also of one whose schema is not known."""
        return self.shapes.get(entity) or unknown_shape(entity)


async def find_definitions(definitions: Definitions) -> Known:
    """All that is published."""
    return Known.of(await definitions.find("true", [], limit=MAXIMUM_DEFINITIONS))


async def definitions_for(definitions: Definitions, *entities: str) -> Known:
    """The shapes of these entities and all journeys, by their keys."""
    found = await definitions.get_many([JOURNEYS, *map(schema_key, entities)])
    return Known.of(list(found.values()))
