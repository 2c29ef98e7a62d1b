"""What an entity looks like: attributes, groups and relations, as a YAML document that is checked when it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from contracts.common import Text

AttributeType = Literal["text", "email", "phone", "date", "number", "boolean", "choice", "choices"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
SELF = "self"
EXTERNAL_ID = "external_id"
TAKEN_ENTITIES = {"import"}
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

    @model_validator(mode="after")
    def _fits_its_type(self) -> Attribute:
        if (self.type in {"choice", "choices"}) != bool(self.options):
            raise ValueError("options belong to the types choice and choices, and are needed there")
        if self.unique and (self.type != "text" or self.personal or self.decided_by):
            raise ValueError("a unique attribute is a text, not personal and not decided by a service")
        return self


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
    """An entity. `person` says whose key seals its personal attributes: `self`, or a relation to one record."""

    entity: Name
    label: Text
    title: Title
    person: Name | None = None
    groups: dict[Name, Group] = {}
    attributes: Annotated[dict[Name, Attribute], Field(min_length=1, max_length=MAXIMUM_ATTRIBUTES)]
    relations: dict[Name, Relation] = {}

    @model_validator(mode="after")
    def _holds_together(self) -> Schema:
        for mistake in _mistakes(self):
            raise ValueError(mistake)
        return self

    @property
    def external_id(self) -> str:
        """The attribute by which the system that a record comes from names it."""
        return next(name for name, attribute in self.attributes.items() if attribute.unique)

    def is_personal(self, attribute: str) -> bool:
        return self.attributes[attribute].personal

    def person_of(self, id_: str, relations: Mapping[str, tuple[str, ...]]) -> str | None:
        """The person whose key seals the personal attributes of a record with these relations."""
        if self.person is None:
            return None
        if self.person == SELF:
            return f"{self.entity}/{id_}"
        related = relations.get(self.person, ())
        return f"{self.relations[self.person].to}/{related[0]}" if related else None

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


def _mistakes(schema: Schema) -> Iterable[str]:
    if schema.entity in TAKEN_ENTITIES:
        yield f"entity: {schema.entity} is the name of something else"
    if sum(attribute.unique for attribute in schema.attributes.values()) != 1:
        yield "attributes: exactly one is unique: the external id"
    if both := sorted(schema.attributes.keys() & schema.relations.keys()):
        yield f"relations: {both[0]} is an attribute too"
    grouped = [name for group in schema.groups.values() for name in group.attributes]
    for name in (schema.title.attribute, *grouped):
        if name not in schema.attributes:
            yield f"{name} is no attribute; there are {', '.join(schema.attributes)}"
    yield from _mistakes_of_person(schema)
    meanings: dict[str, str] = {}
    for name, column in schema.columns.items():
        for heading in {fold_name(label) for label in (name, *column.labels)}:
            if meanings.setdefault(heading, name) != name:
                yield f"{name} and {meanings[heading]} are both called {heading!r}"


def _mistakes_of_person(schema: Schema) -> Iterable[str]:
    if schema.person is None:
        if any(attribute.personal for attribute in schema.attributes.values()):
            yield "person: whose are the personal attributes? `self`, or the name of a relation"
    elif schema.person != SELF:
        relation = schema.relations.get(schema.person)
        if relation is None or relation.many or not relation.required:
            yield f"person: {schema.person} must be a required relation to one record"


class InvalidSchema(ValueError):
    """A schema document that does not hold together; the message names file, path and what is wrong."""


Schemas = Mapping[str, Schema]


def load_schema(path: Path) -> Schema:
    """Reads one document; raises InvalidSchema."""
    try:
        return Schema.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise InvalidSchema(f"{path.name}: {error}") from error
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, found['loc'])) or 'document'}: {found['msg']}" for found in error.errors())
        raise InvalidSchema("\n".join(f"{path.name}: {mistake}" for mistake in mistakes)) from error


def load_schemas(folder: Path) -> Schemas:
    """All documents of a folder by entity; raises InvalidSchema, also for relations that lead nowhere."""
    schemas: dict[str, Schema] = {}
    for path in sorted(folder.glob("*.yaml")):
        schema = load_schema(path)
        if schema.entity in schemas:
            raise InvalidSchema(f"{path.name}: {schema.entity} is described twice")
        schemas[schema.entity] = schema
    for schema in schemas.values():
        for name, relation in schema.relations.items():
            if relation.to not in schemas:
                raise InvalidSchema(f"{schema.entity}: relations.{name}.to: there is no entity {relation.to}")
    return schemas
