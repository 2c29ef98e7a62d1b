"""Which actions and links are offered now, and in words why one is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chassis.conditions import Facts, holds
from chassis.texts import Texts
from contracts.common import Json, Language, Text
from contracts.portal import Action, Link, PortalConfigured
from services.portal.configuration.document import JOURNEY
from services.portal.definitions.shape import Shape
from services.portal.definitions.views import Journey
from services.portal.pages.views import ContactDoc

Journeys = Mapping[str, Journey]
MAXIMUM_REASONS = 5


class OfferedAction(BaseModel):
    """A journey that may be begun here now: `POST /tickets` with the action's id and the record."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: Text
    journey_id: str


class OfferedLink(BaseModel):
    """A link that is shown here now."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: Text
    to: str = Field(description="An https address, or journey:<id> of a public journey")


def actions_at(
    place: str, portal: PortalConfigured | None, journeys: Journeys, facts: Facts, now: datetime
) -> list[OfferedAction]:
    """The actions of a place that may be begun now."""
    actions = portal.actions if portal else ()
    return [
        OfferedAction(id=action.id, title=action.title, journey_id=action.journey)
        for action in actions
        if action.place == place and is_published(journeys, action) and holds(action.when, facts, now)
    ]


def links_for_everybody(portal: PortalConfigured, journeys: Journeys) -> list[OfferedLink]:
    """The links of every page that no rule is asked for: also whoever has not signed in is shown them."""
    return [
        OfferedLink(id=link.id, title=link.title, to=link.to)
        for link in portal.links
        if link.place is None and not link.when and _leads_somewhere(journeys, link)
    ]


def links_at(
    place: str, portal: PortalConfigured | None, journeys: Journeys, facts: Facts, now: datetime
) -> list[OfferedLink]:
    """The links of a place, and those of every page, that are shown now."""
    links = portal.links if portal else ()
    return [
        OfferedLink(id=link.id, title=link.title, to=link.to)
        for link in links
        if link.place in {None, place} and _leads_somewhere(journeys, link) and holds(link.when, facts, now)
    ]


def is_published(journeys: Journeys, action: Action) -> bool:
    """Whether there is a journey to begin."""
    journey = journeys.get(action.journey)
    return journey is not None and not journey.withdrawn


@dataclass(frozen=True)
class Words:
    """In which words attributes are told, and which ones (`seen` by entity, null: all) the reader may hear of."""

    shapes: Mapping[str, Shape]
    seen: Mapping[str, frozenset[str] | None]
    texts: Texts
    language: Language

    def say(self, code: str, **facts: object) -> str:
        return self.texts.say(code, self.language, facts) or self.texts.say("rule_other", self.language) or ""


def reasons(action: Action, facts: Facts, now: datetime, words: Words) -> list[str]:
    """Why an action is not possible now, as sentences. Of attributes that the user may not see nothing is told."""
    told = (_reason(condition, words) for condition in action.when if not holds([condition], facts, now))
    return list(dict.fromkeys(told))[:MAXIMUM_REASONS] or [words.say("rule_other")]


def facts_of(contact: ContactDoc | None, **records: Mapping[str, Json]) -> dict[str, Mapping[str, Any]]:
    """What rules can ask for: attributes of the contact who asks, and those of the record at hand."""
    return {"contact": contact.values if contact else {}, **records}


def _leads_somewhere(journeys: Journeys, link: Link) -> bool:
    if not link.to.startswith(JOURNEY):
        return True
    journey = journeys.get(link.to.removeprefix(JOURNEY))
    return journey is not None and not journey.withdrawn and journey.access == "public"


def _reason(condition: Mapping[str, Any], words: Words) -> str:
    ((path, test),) = condition.items()
    entity, _, name = path.partition(".")
    shape, visible = words.shapes.get(entity), words.seen.get(entity, frozenset())
    attribute = shape.attributes.get(name) if shape else None
    if attribute is None or not (visible is None or name in visible) or not isinstance(test, dict):
        return words.say("rule_other")
    ((operator, wanted),) = test.items()
    said = [attribute.said(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
    told = [getattr(text, words.language) for text in said if text is not None] or _plain(wanted)
    return words.say(_sentence(operator, wanted), label=getattr(attribute.label, words.language), wanted=told)


def _sentence(operator: str, wanted: Any) -> str:
    if operator in {"before", "after"} and wanted in {"now", "today"}:
        return f"rule_{operator}_now"
    return "rule_exists_not" if operator == "exists" and not wanted else f"rule_{operator}"


def _plain(wanted: Any) -> object:
    if isinstance(wanted, str):
        try:
            return date.fromisoformat(wanted[:10])
        except ValueError:
            return wanted
    return wanted
