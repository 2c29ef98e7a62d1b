"""JSON Schemas of everything published: what a record's value looks like on a topic, personal fields sealed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

import contracts
from contracts.base import REGISTRY, Event
from contracts.erp import ERP_REGISTRY, ErpMessage

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_EMPTY: dict[str, Schema] = {
    "string": {"const": ""},
    "object": {"type": "object", "maxProperties": 0},
    "array": {"type": "array", "maxItems": 0},
    "integer": {"const": 0},
    "number": {"const": 0},
    "boolean": {"const": False},
    "null": {"type": "null"},
}


class _Plain(GenerateJsonSchema):
    """Without a title per field: it only repeats the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


Published = type[Event] | type[ErpMessage]


def published() -> dict[str, Published]:
    """Every type of the published language, by its name on the wire. Events declared elsewhere are not part of it."""
    for module in pkgutil.iter_modules(contracts.__path__):
        importlib.import_module(f"contracts.{module.name}")
    declared: dict[str, Published] = {**REGISTRY, **ERP_REGISTRY}
    return {name: cls for name, cls in sorted(declared.items()) if cls.__module__.startswith("contracts.")}


def plain_schema(cls: type[BaseModel]) -> Schema:
    """The JSON Schema of any model, without repeated names."""
    return cls.model_json_schema(schema_generator=_Plain)


def schema_of(cls: Published) -> Schema:
    """The JSON Schema (draft 2020-12) of a type's value as it is published."""
    generated = plain_schema(cls)
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:{cls.type.replace('.', ':')}",
        "title": cls.type,
        "description": inspect.getdoc(cls),
        **{key: value for key, value in generated.items() if key not in {"title", "description"}},
    }
    for field in getattr(cls, "personal_fields", {}):
        schema["properties"][field] = _sealed(schema["properties"][field])
    for name, definition in schema.get("$defs", {}).items():
        definition["title"] = name
    return schema


def is_inbound(cls: Published) -> bool:
    """Whether others write it and Portico reads it."""
    return issubclass(cls, ErpMessage)


def _sealed(field: Schema) -> Schema:
    """A personal field: sealed, or empty. `x-opened` is the schema of the value in the box."""
    box, *plain = field.pop("anyOf")
    empty = [_EMPTY[value["type"]] for value in plain if "$ref" not in value]
    opened = plain[0] if len(plain) == 1 else {"anyOf": plain}
    return {**field, "x-personal": True, "anyOf": [box, *empty], "x-opened": opened}
