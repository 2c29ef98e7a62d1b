"""What an entity looks like: attributes, groups and relations, as a YAML document that is checked when it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from chassis.texts import Texts
from contracts.common import Text

AttributeType = Literal["text", "email", "phone", "date", "number", "boolean", "period", "choice", "choices"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
SELF = "self"
EXTERNAL_ID = "external_id"
HOLDER = "holder"
TAKEN_ENTITIES = {"import", "mapping", "schema"}
MAXIMUM_ATTRIBUTES = 200


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Part):
    """What attributes and relations have in common: each can be a column of a file."""

    label: Text | None = None
    required: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label.de, self.label.en) if self.label else ()


class Attribute(Column):
    """One value of a record. `decided_by` names the service whose word counts once the record exists."""

    type: AttributeType
    unique: bool = Field(default=False, description="The record's external id: exactly one attribute of a schema")
    personal: bool = Field(default=False, description="Sealed with the key of the person that the schema names")
    options: dict[Name, Text] = {}
    decided_by: Name | None = None
    purpose: tuple[Name, ...] = ()
    max_length: Annotated[int, Field(ge=1, le=10_000)] = 200

    @field_validator("options", mode="before")
    @classmethod
    def _options_may_be_bare(cls, value: Any) -> Any:
        return {option: {"de": option, "en": option} for option in value} if isinstance(value, list) else value


class Relation(Column):
    """Records of another entity that a record leads to."""

    to: Name
    many: bool = False


class Group(_Part):
    """Attributes that are shown and permitted together."""

    label: Text
    attributes: tuple[Name, ...]


class Title(_Part):
    """Which attribute a record is called by."""

    attribute: Name


class Schema(_Part):
    """An entity. `person` says whose key seals its personal attributes: `self`, or a relation to one record.

    Where it is left out, that is the holder if there is such a relation, otherwise the record itself.
    """

    entity: Name
    label: Text | None = None
    title: Title
    person: Name | None = None
    groups: dict[Name, Group] = {}
    attributes: Annotated[dict[Name, Attribute], Field(min_length=1, max_length=MAXIMUM_ATTRIBUTES)]
    relations: dict[Name, Relation] = {}

    @property
    def external_id(self) -> str:
        """The attribute by which the system that a record comes from names it."""
        return next(name for name, attribute in self.attributes.items() if attribute.unique)

    def is_personal(self, attribute: str) -> bool:
        return self.attributes[attribute].personal

    def person_of(self, id_: str, relations: Mapping[str, tuple[str, ...]]) -> str | None:
        """The person whose key seals the personal attributes of a record with these relations."""
        owner = self.owner
        if owner is None:
            return None
        if owner == SELF:
            return f"{self.entity}/{id_}"
        related = relations.get(owner, ())
        return f"{self.relations[owner].to}/{related[0]}" if related else None

    @property
    def owner(self) -> str | None:
        """Whose the personal attributes are: `self` or a relation; None when there are none and nobody is named."""
        if self.person or not any(attribute.personal for attribute in self.attributes.values()):
            return self.person
        return HOLDER if HOLDER in self.relations else SELF

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """The attributes and relations behind names of groups, attributes and relations."""
        found: set[str] = set()
        for name in names:
            found |= {*self.groups[name].attributes} if name in self.groups else {name}
        return frozenset(found)

    @property
    def columns(self) -> dict[str, Column]:
        """Attributes and relations by name."""
        return {**self.attributes, **self.relations}

    def headings(self) -> dict[str, str]:
        """What the columns of a file may be called (folded by `fold_name`), and which column each means."""
        named = {fold_name(EXTERNAL_ID): self.external_id}
        for name, column in self.columns.items():
            named |= {fold_name(label): name for label in (name, *column.labels)}
        return named


def fold_name(text: str) -> str:
    """A column's name as it is compared: without case, and with single spaces for spaces, hyphens and underscores."""
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())


@dataclass(frozen=True, slots=True)
class Flaw:
    """What does not hold together in a document, and where; `code` has a sentence in the texts of the service."""

    path: str
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


def flaws(schema: Schema) -> list[Flaw]:
    """What is wrong with a schema beyond its form; nothing when it holds together."""
    return [*_flaws_of_attributes(schema), *_flaws_of_names(schema), *_flaws_of_person(schema)]


def _flaws_of_attributes(schema: Schema) -> Iterator[Flaw]:
    if schema.entity in TAKEN_ENTITIES:
        yield Flaw("entity", "schema_entity_taken", {"entity": schema.entity})
    if sum(attribute.unique for attribute in schema.attributes.values()) != 1:
        yield Flaw("attributes", "schema_one_unique")
    for name, attribute in schema.attributes.items():
        if (attribute.type in {"choice", "choices"}) != bool(attribute.options):
            yield Flaw(f"attributes.{name}.options", "schema_options")
        if attribute.unique and (attribute.type != "text" or attribute.personal or attribute.decided_by):
            yield Flaw(f"attributes.{name}.unique", "schema_unique")
    for name in schema.relations:
        if name in schema.attributes:
            yield Flaw(f"relations.{name}", "schema_relation_is_attribute", {"name": name})


def _flaws_of_names(schema: Schema) -> Iterator[Flaw]:
    grouped = [
        (f"groups.{group}.attributes.{place}", name)
        for group, described in schema.groups.items()
        for place, name in enumerate(described.attributes)
    ]
    for path, name in (("title.attribute", schema.title.attribute), *grouped):
        if name not in schema.attributes:
            yield Flaw(path, "schema_unknown_attribute", {"name": name, "names": list(schema.attributes)})
    meanings: dict[str, str] = {}
    for name, column in schema.columns.items():
        for heading in {fold_name(label) for label in (name, *column.labels)}:
            if (other := meanings.setdefault(heading, name)) != name:
                part = "attributes" if name in schema.attributes else "relations"
                yield Flaw(f"{part}.{name}", "schema_same_name", {"name": name, "other": other, "heading": heading})


def _flaws_of_person(schema: Schema) -> Iterator[Flaw]:
    owner = schema.owner
    if owner is None or owner == SELF:
        return
    relation = schema.relations.get(owner)
    if relation is None or relation.many:
        yield Flaw("person", "schema_person", {"name": owner})


class InvalidSchema(ValueError):
    """A schema document that does not hold together; the message names file, path and what is wrong."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A schema with the document it was read from; version 0 came with Portico."""

    schema: Schema
    document: Mapping[str, Any]
    version: int = 0


Definitions = Mapping[str, Definition]


def load_schema(path: Path, texts: Texts) -> Definition:
    """Reads one document; raises InvalidSchema."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        schema = Schema.model_validate(document)
    except yaml.YAMLError as error:
        raise InvalidSchema(f"{path.name}: {error}") from error
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, found['loc'])) or 'document'}: {found['msg']}" for found in error.errors())
        raise InvalidSchema("\n".join(f"{path.name}: {mistake}" for mistake in mistakes)) from error
    if wrong := flaws(schema):
        said = (f"{flaw.path}: {texts.say(flaw.code, 'en', flaw.facts) or flaw.code}" for flaw in wrong)
        raise InvalidSchema("\n".join(f"{path.name}: {each}" for each in said))
    return Definition(schema, document)


def load_schemas(folder: Path, texts: Texts) -> Definitions:
    """All documents of a folder by entity; raises InvalidSchema, also for relations that lead nowhere."""
    found: dict[str, Definition] = {}
    for path in sorted(folder.glob("*.yaml")):
        definition = load_schema(path, texts)
        if definition.schema.entity in found:
            raise InvalidSchema(f"{path.name}: {definition.schema.entity} is described twice")
        found[definition.schema.entity] = definition
    for definition in found.values():
        for name, relation in definition.schema.relations.items():
            if relation.to not in found:
                entity = definition.schema.entity
                raise InvalidSchema(f"{entity}: relations.{name}.to: there is no entity {relation.to}")
    return found
