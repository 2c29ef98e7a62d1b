"""What a portal's document must hold to beyond its form, against the schemas and journeys that are known.

Documents come in any order: what is not known yet is a warning, what is known to be wrong is a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any
from urllib.parse import SplitResult, urlsplit

from chassis.documents import InvalidDocument, Mistake
from contracts.conditions import places
from services.portal.configuration.colours import READABLE, palette
from services.portal.configuration.document import JOURNEY, ActionDocument, LinkDocument, PortalDocument
from services.portal.configuration.svg import UnsafeSvg, sanitised
from services.portal.definitions.shape import Shape
from services.portal.definitions.views import Journey

Say = Callable[..., str]
"""A sentence in the caller's language: `say(code, **facts)`."""
Shapes = Mapping[str, Shape]
Found = Iterator[Mistake]

IDENTIFYING = ("contact", "contract")
LOCAL = {"localhost", "127.0.0.1", "::1"}


def checked(document: PortalDocument, shapes: Shapes, say: Say) -> PortalDocument:
    """The document with its logo made safe. Raises InvalidDocument with all mistakes."""
    mistakes = [
        *_addresses(document, say),
        *_ids("actions", document.actions, say),
        *_ids("links", document.links, say),
        *_identification(document, shapes, say),
        *_permissions(document, shapes, say),
        *_rules("actions", document.actions, shapes, say),
        *_rules("links", document.links, shapes, say),
    ]
    logo = document.design.logo
    try:
        logo = sanitised(logo) if logo is not None else None
    except UnsafeSvg as unsafe:
        mistakes.append(Mistake("design.logo", say(unsafe.code, part=unsafe.part)))
    if mistakes:
        raise InvalidDocument(mistakes)
    return document.model_copy(update={"design": document.design.model_copy(update={"logo": logo})})


def warnings_of(document: PortalDocument, shapes: Shapes, journeys: Mapping[str, Journey], say: Say) -> list[Mistake]:
    """What is taken, but does not work as it is: journeys and entities that are not known (yet), pale colours."""
    return [
        *_pale(document, say),
        *_unknown_entities(document, shapes, say),
        *_unknown_journeys(document, journeys, say),
    ]


def _addresses(document: PortalDocument, say: Say) -> Found:
    if not _is_address(document.url):
        yield Mistake("url", say("document_address"))
    for number, link in enumerate(document.links):
        parts = _parts(link.to)
        safe = parts is not None and parts.scheme == "https" and parts.hostname and not _has_space(link.to)
        if not (safe or link.to.startswith(JOURNEY)):
            yield Mistake(f"links.{number}.to", say("document_target"))
    for number, origin in enumerate(document.embed):
        if not _is_origin(origin):
            yield Mistake(f"embed.{number}", say("document_origin"))


def _is_origin(value: str) -> bool:
    parts = _parts(value)
    if parts is None or parts.path not in {"", "/"} or "@" in value or not _is_address(value):
        return False
    return parts.scheme == "https" or parts.hostname in LOCAL


def _is_address(value: str) -> bool:
    parts = _parts(value)
    usable = parts is not None and parts.scheme in {"http", "https"} and parts.hostname
    return bool(usable) and not (parts and (parts.query or parts.fragment)) and not _has_space(value)


def _parts(value: str) -> SplitResult | None:
    try:
        return urlsplit(value)
    except ValueError:
        return None


def _has_space(value: str) -> bool:
    return any(character.isspace() or not character.isprintable() for character in value)


def _ids(part: str, items: Sequence[ActionDocument | LinkDocument], say: Say) -> Found:
    seen: set[str] = set()
    for number, item in enumerate(items):
        if item.id is not None and item.id in seen:
            yield Mistake(f"{part}.{number}.id", say("document_twice", name=item.id))
        seen |= {item.id} if item.id is not None else set()


def _identification(document: PortalDocument, shapes: Shapes, say: Say) -> Found:
    for number, path in enumerate(document.registration.second_identification):
        place = f"registration.second_identification.{number}"
        entity, _, name = path.partition(".")
        if entity not in IDENTIFYING:
            yield Mistake(place, say("document_entity", name=entity, possible=IDENTIFYING))
        elif entity in shapes and name not in shapes[entity].attributes:
            yield Mistake(place, _unknown(say, shapes[entity], name, shapes[entity].names))


def _permissions(document: PortalDocument, shapes: Shapes, say: Say) -> Found:
    for entity, permission in document.permissions.items():
        shape = shapes.get(entity)
        for kind, names in (("see", permission.see), ("change", permission.change)):
            for number, name in enumerate(names):
                place = f"permissions.{entity}.{kind}.{number}"
                if shape and name not in shape.possible():
                    yield Mistake(place, _unknown(say, shape, name, shape.possible()))
                elif kind == "change" and not _is_seen(shape, name, permission.see):
                    yield Mistake(place, say("document_change_unseen", name=name))


def _is_seen(shape: Shape | None, name: str, see: Sequence[str]) -> bool:
    if shape is None:
        return True
    return shape.named([name]) <= shape.named(see)


def _rules(part: str, items: Sequence[ActionDocument | LinkDocument], shapes: Shapes, say: Say) -> Found:
    for number, item in enumerate(items):
        possible = tuple(dict.fromkeys(entity for entity in (item.place, "contact") if entity))
        for path, place in places(item.when):
            where = ".".join(map(str, (part, number, "when", *place)))
            entity, _, name = path.partition(".")
            shape = shapes.get(entity)
            if entity not in possible:
                yield Mistake(where, say("document_rule_entity", path=path, possible=possible))
            elif shape and name not in shape.attributes:
                yield Mistake(where, _unknown(say, shape, name, shape.names))
            elif shape and (options := [option.value for option in shape.attributes[name].options]):
                ((operator, wanted),) = _at(item.when, place)[path].items()
                for value in _never(operator, wanted, options):
                    facts = {"name": path, "value": value, "possible": options}
                    yield Mistake(where, say("document_rule_value", **facts))


def _at(conditions: Any, place: tuple[int | str, ...]) -> Any:
    """The condition that stands at a place."""
    return reduce(getitem, place, conditions)


def _never(operator: str, wanted: Any, options: Iterable[str]) -> list[Any]:
    """The values that are asked for and are none of the options."""
    asked = wanted if operator == "one_of" else [wanted] if operator in {"is", "is_not", "contains"} else []
    return [value for value in asked if value not in options]


def _unknown(say: Say, shape: Shape, name: str, possible: Sequence[str]) -> str:
    return say("document_attribute", name=name, entity=shape.entity, possible=possible)


def _pale(document: PortalDocument, say: Say) -> Found:
    for name in ("brand", "accent"):
        colour = getattr(document.design, name)
        if colour is not None and not (found := palette(colour)).readable:
            facts = {"colour": colour, "contrast": round(found.contrast_to_white, 1), "needed": READABLE}
            yield Mistake(f"design.{name}", say("document_pale", **facts, darker=found.text))


def _unknown_entities(document: PortalDocument, shapes: Shapes, say: Say) -> Found:
    named = {f"permissions.{entity}": entity for entity in document.permissions}
    named |= {f"actions.{number}.place": action.place for number, action in enumerate(document.actions)}
    named |= {f"links.{number}.place": link.place for number, link in enumerate(document.links) if link.place}
    for place, entity in named.items():
        if entity not in shapes:
            yield Mistake(place, say("document_no_schema", name=entity))


def _unknown_journeys(document: PortalDocument, journeys: Mapping[str, Journey], say: Say) -> Found:
    for number, action in enumerate(document.actions):
        journey = journeys.get(action.journey)
        if journey is None or journey.withdrawn:
            yield Mistake(f"actions.{number}.journey", say("document_no_journey", name=action.journey))
        elif journey.context not in {None, action.place}:
            facts = {"name": action.journey, "context": journey.context, "place": action.place}
            yield Mistake(f"actions.{number}.place", say("document_other_place", **facts))
    for number, link in enumerate(document.links):
        if link.to.startswith(JOURNEY):
            journey = journeys.get(link.to.removeprefix(JOURNEY))
            if journey is None or journey.withdrawn or journey.access != "public":
                name = link.to.removeprefix(JOURNEY)
                yield Mistake(f"links.{number}.to", say("document_no_public_journey", name=name))
