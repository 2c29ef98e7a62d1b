"""The journeys that there are, by their newest version; and every version again, for what began with it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import orjson
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import NotFound
from chassis.streams import Streams
from chassis.views import View, ViewReader
from contracts.common import Text
from contracts.envelope import Envelope
from contracts.ids import stream
from contracts.journeys import Access, JourneyPublished, JourneyWithdrawn
from services.journeys.definitions.decider import JOURNEY
from services.journeys.form.document import JourneyDocument

KEPT_DOCUMENTS = 200


class JourneyDoc(BaseModel):
    """A journey as it is now. `definition` is JSON text: a document in the database would lose its order."""

    model_config = ConfigDict(frozen=True)

    journey: str
    version: int
    title: Text
    access: Access
    context: str | None
    withdrawn: bool = Field(default=False, description="Nobody can begin it any more")
    definition: str


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case JourneyPublished(journey_id=id_) | JourneyWithdrawn(journey_id=id_):
            return id_
        case _:
            return None


def evolve(document: JourneyDoc | None, envelope: Envelope) -> JourneyDoc | None:
    match envelope.event:
        case JourneyPublished() as event:
            return JourneyDoc(
                journey=event.journey_id,
                version=event.journey_version,
                title=event.title,
                access=event.access,
                context=event.context,
                definition=orjson.dumps(event.definition).decode(),
            )
        case JourneyWithdrawn() if document:
            return document.model_copy(update={"withdrawn": True})
        case _:
            return document


JOURNEYS = View("journeys", 1, JourneyDoc, (JourneyPublished, JourneyWithdrawn), key, evolve)


async def list_journeys(journeys: ViewReader[JourneyDoc], after: str, limit: int) -> list[JourneyDoc]:
    """Journeys in the order of their ids, those behind `after`."""
    return await journeys.find("key > %s", [after], limit=limit)


@dataclass
class Library:
    """Documents by journey and version, read once: a version never changes."""

    journeys: ViewReader[JourneyDoc]
    streams: Streams
    _documents: OrderedDict[tuple[str, int], JourneyDocument] = field(default_factory=OrderedDict)

    async def current(self, journey_id: str) -> tuple[JourneyDocument, int]:
        """The version with which a submission begins now. Raises NotFound, also for a journey that is withdrawn."""
        found = await self.journeys.get(journey_id)
        if found is None or found.withdrawn:
            raise NotFound("journey_not_found")
        known = self._documents.get((journey_id, found.version))
        document = known or JourneyDocument.model_validate_json(found.definition)
        return self._kept(document, found.version), found.version

    async def version(self, journey_id: str, version: int) -> JourneyDocument:
        """A version, whatever came after it. Raises NotFound."""
        known = self._documents.get((journey_id, version))
        if known:
            return known
        for envelope in await self.streams.history(stream(JOURNEY.kind, journey_id)):
            event = envelope.event
            if isinstance(event, JourneyPublished) and event.journey_version == version:
                return self._kept(JourneyDocument.model_validate(event.definition), version)
        raise NotFound("journey_not_found")

    def _kept(self, document: JourneyDocument, version: int) -> JourneyDocument:
        self._documents[document.journey, version] = document
        while len(self._documents) > KEPT_DOCUMENTS:
            self._documents.popitem(last=False)
        return document
