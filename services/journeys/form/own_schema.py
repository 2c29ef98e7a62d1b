"""JSON Schemas that a document brings along: only what always ends, stays small and refers to nothing outside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from contracts.common import Json
from services.journeys.form.flaws import Flaw, Place
from services.journeys.form.formats import NAMES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAXIMUM_PARTS = 1_000
MAXIMUM_DEPTH = 12
MAXIMUM_NUMBER = 2**53
REFERENCE = "#/$defs/"
NESTED = {"items", "contains", "not", "if", "then", "else", "propertyNames", "additionalProperties"}
NESTED_LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
NESTED_NAMES = {"properties", "dependentSchemas"}
PLAIN = {
    *("$schema", "$comment", "title", "description", "default", "examples", "type", "enum", "const", "required"),
    *("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties"),
    *("maxProperties", "dependentRequired", "$ref", "$defs", "readOnly", "writeOnly", "deprecated"),
}
KEYWORDS = NESTED | NESTED_LISTS | NESTED_NAMES | PLAIN


def flaws_of(schema: Mapping[str, Json], place: Place) -> Iterator[Flaw]:
    """What is wrong with a step's own schema. One without flaws can be validated against anything, in bounded time."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield Flaw((*place, *error.absolute_path), "schema_invalid")
        return
    except (RecursionError, OverflowError):
        yield Flaw(place, "schema_size", {"limit": MAXIMUM_PARTS})
        return
    if schema.get("type") != "object" or not schema.get("properties"):
        yield Flaw(place, "schema_object")
    if schema.get("$schema", DIALECT) != DIALECT:
        yield Flaw((*place, "$schema"), "schema_dialect", {"dialect": DIALECT})
    if has_wild_numbers(schema):
        yield Flaw(place, "schema_number")
    definitions = schema.get("$defs", {})
    parts = [(schema, place), *_named(definitions, (*place, "$defs"))]
    found = [flaw for part, where in parts for flaw in _flaws_of_part(part, where, definitions, 0)]
    yield from found
    if not found and _size(schema, definitions, ()) > MAXIMUM_PARTS:
        yield Flaw(place, "schema_size", {"limit": MAXIMUM_PARTS})


def _flaws_of_part(part: Any, place: Place, definitions: Any, depth: int) -> Iterator[Flaw]:
    if not isinstance(part, dict):
        return
    if depth > MAXIMUM_DEPTH:
        yield Flaw(place, "schema_depth", {"limit": MAXIMUM_DEPTH})
        return
    for keyword, value in part.items():
        if keyword not in KEYWORDS or (keyword == "$defs" and depth):
            yield Flaw((*place, keyword), "schema_keyword", {"name": keyword})
        elif keyword == "$ref" and (not value.startswith(REFERENCE) or value[len(REFERENCE) :] not in definitions):
            yield Flaw((*place, keyword), "schema_reference")
        elif keyword == "format" and value not in NAMES:
            yield Flaw((*place, keyword), "schema_format", {"name": value, "possible": NAMES})
        elif keyword == "pattern" and not _is_pattern(value):
            yield Flaw((*place, keyword), "schema_pattern")
    for below, where in _below(part, place):
        yield from _flaws_of_part(below, where, definitions, depth + 1)


def _below(part: Mapping[str, Any], place: Place) -> Iterator[tuple[Any, Place]]:
    """The schemas directly in a schema, but for its definitions."""
    for keyword, value in part.items():
        if keyword in NESTED:
            yield value, (*place, keyword)
        elif keyword in NESTED_LISTS:
            yield from ((each, (*place, keyword, number)) for number, each in enumerate(value))
        elif keyword in NESTED_NAMES:
            yield from _named(value, (*place, keyword))


def _named(schemas: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    yield from ((each, (*place, name)) for name, each in schemas.items())


def _size(part: Any, definitions: Any, within: tuple[str, ...]) -> int:
    """How many schemas are looked at for one value at most; beyond all measure where references go in circles."""
    if not isinstance(part, dict):
        return 1
    size = 1
    reference = str(part.get("$ref", "")).removeprefix(REFERENCE)
    if reference:
        if reference in within:
            return MAXIMUM_PARTS + 1
        size += _size(definitions[reference], definitions, (*within, reference))
    for below, _ in _below(part, ()):
        size += _size(below, definitions, within)
        if size > MAXIMUM_PARTS:
            break
    return size


def _is_pattern(pattern: str) -> bool:
    try:
        re2.compile(pattern, _options())
    except re2.error:
        return False
    return True


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return options


def has_wild_numbers(value: Any) -> bool:
    """Whether there is a number in it that JSON, or a program that reads it, may not keep as it is."""
    match value:
        case dict():
            return any(has_wild_numbers(each) for each in value.values())
        case list():
            return any(has_wild_numbers(each) for each in value)
        case float():
            return not math.isfinite(value)
        case int():
            return abs(value) > MAXIMUM_NUMBER
        case _:
            return False
