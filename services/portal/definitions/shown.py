"""Values of a record as pages show them: in the groups of its schema, with labels, only what may be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Json, Text
from services.portal.definitions.shape import Attribute, Option, Shape

OTHERS = "others"
LABEL_OF_OTHERS = Text(de="Weitere Angaben", en="Further details")


class ShownAttribute(BaseModel):
    """A value with its label; `text` is the value in words where it has some, e.g. that of an option."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: Text
    type: str = Field(description="As in the schema: text, date, number, boolean, choice, ...")
    value: Json
    text: Text | None
    editable: bool = Field(description="Whether users of the portal may change it")
    options: tuple[Option, ...] = Field(description="What it can be changed to, in their order; for choices only")


class ShownGroup(BaseModel):
    """Attributes that belong together. The group `others` has those that the schema puts into none."""

    model_config = ConfigDict(frozen=True)

    id: str
    label: Text
    attributes: list[ShownAttribute]


def permitted(values: Mapping[str, Json], seen: frozenset[str] | None) -> dict[str, Json]:
    """What may be seen of values; with null all."""
    return {name: value for name, value in values.items() if seen is None or name in seen}


def groups(
    shape: Shape, values: Mapping[str, Json], seen: frozenset[str] | None, changeable: frozenset[str]
) -> list[ShownGroup]:
    """The groups of a schema with what may be seen; attributes without a value are shown too, empty groups are not."""

    def attributes(names: Iterable[str]) -> list[ShownAttribute]:
        known = ((name, shape.attributes.get(name)) for name in names if seen is None or name in seen)
        return [
            _shown(name, each, values.get(name), name in changeable) for name, each in known if each or name in values
        ]

    grouped = {name for group in shape.groups for name in group.attributes}
    names = [*shape.names, *(name for name in values if name not in shape.attributes)]
    found = [
        *((group.id, group.label, attributes(group.attributes)) for group in shape.groups),
        (OTHERS, LABEL_OF_OTHERS, attributes(name for name in names if name not in grouped)),
    ]
    return [ShownGroup(id=id_, label=label, attributes=shown) for id_, label, shown in found if shown]


def said(shape: Shape, name: str, value: Any) -> Text | None:
    """The value of an attribute in words, where it has some."""
    attribute = shape.attributes.get(name)
    return attribute.said(value) if attribute and value is not None else None


def _shown(name: str, attribute: Attribute | None, value: Json, editable: bool) -> ShownAttribute:
    described = attribute or Attribute(label=Text(de=name, en=name))
    return ShownAttribute(
        name=name,
        label=described.label,
        type=described.type,
        value=value,
        text=described.said(value) if value is not None else None,
        editable=editable,
        options=described.options if editable else (),
    )
