"""Plausible requests out of a description: bodies and parameters that fit their schemas as far as a schema says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TEXTS = {
    "date": "2027-01-31",
    "date-time": "2027-01-31T10:00:00Z",
    "uuid": "3f1c0e1a-8d0d-4a53-9d5c-0a64a1c37d11",
    "email": "nobody@example.org",
    "uri": "https://example.org",
    "byte": "YQ==",
}
"""By format."""
WORDS = ("something", "contact.customer_number", "K-1001", "EUR", "#0b6e4f", "P1M", "ABCD-EFGH", *TEXTS.values())
"""Of which the first that fits a pattern is taken."""
DEEPEST = 8


class Samples:
    """Values for the schemas of one document; `given` are values by the name of a property or parameter."""

    def __init__(self, components: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self._schemas: Mapping[str, Any] = components.get("schemas", {})
        self._given = given

    def body(self, operation: Mapping[str, Any]) -> tuple[str, Any] | None:
        """Media type and value of a request's body; None where there is none."""
        content = operation.get("requestBody", {}).get("content", {})
        for media_type, described in content.items():
            return media_type, described.get("example") or self.of(described.get("schema", {}))
        return None

    def parameters(self, operation: Mapping[str, Any], place: str) -> dict[str, str]:
        """The required parameters in `path` or `query`, and those whose value is given."""
        found = {}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == place and (parameter.get("required") or parameter["name"] in self._given):
                found[parameter["name"]] = str(self.of(parameter.get("schema", {}), parameter["name"]))
        return found

    def of(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """A value that a schema allows."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if name in self._given and schema.get("type") not in {"object", "array", "integer", "boolean"}:
            return self._given[name]
        if examples := schema.get("examples") or ([schema["example"]] if "example" in schema else []):
            return self._with_given(examples[0])
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
            if choice.get("type") != "null":
                return self.of(choice, name, depth + 1)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "object":
                properties, required = schema.get("properties", {}), schema.get("required", ())
                wanted = [each for each in properties if each in required or each in self._given]
                return {each: self.of(properties[each], each, depth + 1) for each in wanted if depth < DEEPEST}
            case "array":
                count = schema.get("minItems", 0) or int(depth < 2)
                return [self.of(schema.get("items", {}), depth=depth + 1) for _ in range(min(count, 3))]
            case "integer" | "number":
                return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
            case "boolean":
                return False
            case "string" if "pattern" in schema:
                return next((word for word in WORDS if re.search(schema["pattern"], word)), "something")
            case "string":
                text = TEXTS.get(schema.get("format", ""), "something")
                return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 1_000)]
            case _:
                return {}

    def _with_given(self, example: Any) -> Any:
        if isinstance(example, dict):
            return {
                name: self._given[name] if name in self._given and isinstance(value, str) else self._with_given(value)
                for name, value in example.items()
            }
        return [self._with_given(each) for each in example] if isinstance(example, list) else example
