"""A first example of a new type for tests/contracts/fixtures/: valid, and meant to be made plausible by hand."""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

BY_FORMAT = {"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z"}
TEXTS = ("example", "EUR", "1", "#0b6e4f", "")


def example_of(schema: Schema) -> Any:
    """A value that the schema takes, with every property it knows."""
    return _value(schema, schema.get("$defs", {}))


def _value(schema: Schema, definitions: Schema) -> Any:
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return _value(branches[0], definitions)
    match schema.get("type"):
        case "object":
            return {name: _value(inner, definitions) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_value(schema["items"], definitions)] if schema.get("items") else []
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string":
            return BY_FORMAT.get(schema.get("format", "")) or _text(schema.get("pattern", ""))
    return None


def _text(pattern: str) -> str:
    return next((text for text in TEXTS if re.search(pattern, text)), "")
