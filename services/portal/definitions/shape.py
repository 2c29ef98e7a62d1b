"""What an entity looks like, as far as pages need it. Read leniently: whoever publishes a schema has checked it.

What has an order is a tuple: documents of views are jsonb, which forgets the order of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.common import Json, Text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Option(_Part):
    """One of the values that an attribute can have."""

    value: str
    label: Text


class Attribute(_Part):
    """One value of a record. `decided_by` is a service where it is nobody else's to change."""

    label: Text
    type: str = "text"
    options: tuple[Option, ...] = ()
    decided_by: str | None = None
    unique: bool = False

    def said(self, value: Json) -> Text | None:
        """The value in words where it has words of its own: options, and yes or no."""
        if isinstance(value, bool):
            return Text(de="ja", en="yes") if value else Text(de="nein", en="no")
        values = value if isinstance(value, list) else [value]
        chosen = [option.label for option in self.options if option.value in values]
        if not chosen:
            return None
        return Text(de=", ".join(each.de for each in chosen), en=", ".join(each.en for each in chosen))


class Group(_Part):
    """Attributes that are shown and permitted together."""

    id: str
    label: Text
    attributes: tuple[str, ...]


class Shape(_Part):
    """An entity. `title` is the attribute by which a record is called: whoever sees the record sees it."""

    entity: str
    label: Text
    title: str = ""
    names: tuple[str, ...] = ()
    attributes: dict[str, Attribute] = {}
    groups: tuple[Group, ...] = ()
    relations: tuple[str, ...] = ()

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """The attributes and relations behind names of groups, attributes and relations."""
        groups = {group.id: group.attributes for group in self.groups}
        return frozenset(attribute for name in names for attribute in groups.get(name, (name,)))

    def possible(self) -> list[str]:
        """The names that a permission can have: groups, attributes and relations."""
        return [*(group.id for group in self.groups), *self.names, *self.relations]


def shape_of(entity: str, definition: Mapping[str, Any]) -> Shape:
    """The shape in a schema's document; what cannot be read of it is left out."""
    attributes = {
        name: Attribute(
            label=_text(described.get("label"), name),
            type=str(described.get("type", "text")),
            options=_options(described.get("options")),
            decided_by=described["decided_by"] if isinstance(described.get("decided_by"), str) else None,
            unique=described.get("unique") is True,
        )
        for name, described in _mapping(definition.get("attributes")).items()
        if isinstance(described, Mapping)
    }
    groups = tuple(
        Group(id=id_, label=_text(group.get("label"), id_), attributes=_names(group.get("attributes")))
        for id_, group in _mapping(definition.get("groups")).items()
        if isinstance(group, Mapping)
    )
    return Shape(
        entity=entity,
        label=_text(definition.get("label"), entity),
        title=str(_mapping(definition.get("title")).get("attribute", "")),
        names=tuple(attributes),
        attributes=attributes,
        groups=groups,
        relations=tuple(_mapping(definition.get("relations"))),
    )


def unknown_shape(entity: str) -> Shape:
    """For an entity whose schema nobody has published yet: names stand for themselves."""
    return Shape(entity=entity, label=Text(de=entity, en=entity))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list | tuple) else ()


def _options(value: Any) -> tuple[Option, ...]:
    """Options by their labels, or bare ones, which are called what they are."""
    named = {str(option): None for option in value} if isinstance(value, list | tuple) else _mapping(value)
    return tuple(Option(value=str(option), label=_text(label, str(option))) for option, label in named.items())


def _text(value: Any, otherwise: str) -> Text:
    texts = _mapping(value)
    de, en = texts.get("de"), texts.get("en")
    known = de if isinstance(de, str) else en if isinstance(en, str) else otherwise
    return Text(de=known, en=en if isinstance(en, str) else known)
