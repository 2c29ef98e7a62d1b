"""The wordings of portals, for the mailer and as a list for staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.common import Language
from contracts.envelope import Envelope
from contracts.ids import stream_id
from contracts.notifications import TemplateChanged, Wording

MAXIMUM_TEMPLATES = 500


class WordingDoc(BaseModel):
    """A template as one portal words it."""

    model_config = ConfigDict(frozen=True)

    portal_id: str
    template: str
    de: Wording | None
    en: Wording | None

    def document(self) -> dict[str, Any]:
        """In the form in which it is written."""
        return document(self.portal_id, self.template, {"de": self.de, "en": self.en})


def document(portal_id: str, template: str, wordings: Mapping[str, Wording | None]) -> dict[str, Any]:
    """A wording as the document that people write."""
    own = {language: wording.model_dump() for language, wording in wordings.items() if wording}
    return {"template": template, "portal": portal_id, **own}


def key(envelope: Envelope) -> str | None:
    return stream_id(envelope.stream)


def evolve(_: WordingDoc | None, envelope: Envelope) -> WordingDoc | None:
    event = envelope.event
    if not isinstance(event, TemplateChanged) or (event.de is None and event.en is None):
        return None
    return WordingDoc(portal_id=event.portal_id, template=event.template, de=event.de, en=event.en)


WORDINGS = View("wordings", 1, WordingDoc, (TemplateChanged,), key, evolve, indexes={"portal": "(doc->>'portal_id')"})


class OwnWordings:
    """Finds a portal's own wording at the moment of sending."""

    def __init__(self, wordings: ViewReader[WordingDoc]) -> None:
        self._wordings = wordings

    async def find(self, portal_id: str, template: str, language: Language) -> Wording | None:
        doc = await self._wordings.get(f"{portal_id}/{template}")
        return getattr(doc, language) if doc else None

    async def of_portal(self, portal_id: str) -> list[WordingDoc]:
        return await self._wordings.find("doc->>'portal_id' = %s", [portal_id], limit=MAXIMUM_TEMPLATES)
