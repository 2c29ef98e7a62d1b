"""What counts as a breaking change of a published schema, for readers of topics and for those who write to us."""

from typing import Any

import pytest

from contracts.compatibility import breaking_changes

TEXT = {"type": "string"}
DATE = {"type": "string", "format": "date"}
BASE: dict[str, Any] = {
    "type": "object",
    "description": "A fact.",
    "$defs": {
        "Due": {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}, "required": ["on"]}
    },
    "properties": {
        "id": TEXT,
        "amount": {"type": "integer", "minimum": 0, "maximum": 100},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "paid": {"anyOf": [TEXT, {"type": "null"}]},
        "dues": {"type": "array", "items": {"$ref": "#/$defs/Due"}, "maxItems": 10},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "default": "EUR"},
        "rules": {"type": "object", "default": {"percent": 20}},
        "name": {"x-personal": True, "anyOf": [{"$ref": "#/$defs/Due"}, {"const": ""}], "x-opened": TEXT},
        "more": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["id", "amount", "kind", "paid"],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """BASE with another value at a path of dots; None removes."""
    *parents, last = path.split(".")
    root: dict[str, Any] = _copy(BASE)
    node = root
    for name in parents:
        node = node[name]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return root


BREAKING_FOR_ALL: list[tuple[str, Any, str]] = [
    ("properties.id", None, "id: removed"),
    ("properties.id", {"type": "integer"}, "id: its type was string, now integer"),
    ("properties.id", {}, "id: its type was string, now anything"),
    ("required", ["id", "amount", "kind", "paid", "dues"], "dues: required now; what was published before lacks it"),
    ("properties.kind.enum", ["a"], "kind: no longer takes 'b'"),
    ("properties.id.enum", ["a"], "id: no longer takes any other"),
    ("properties.amount.minimum", 1, "amount: minimum is 1, was 0"),
    ("properties.amount.maximum", 99, "amount: maximum is 99, was 100"),
    ("properties.id.maxLength", 5, "id: maxLength is 5, was not limited"),
    ("properties.dues.maxItems", 9, "dues: maxItems is 9, was 10"),
    ("properties.currency.pattern", "^EUR$", "currency: pattern was '^[A-Z]{3}$', now '^EUR$'"),
    ("properties.currency.default", "CHF", "currency: what is left out meant 'EUR', now 'CHF'"),
    ("properties.rules.default", {"percent": 30}, "rules: what is left out meant {'percent': 20}, now {'percent': 30}"),
    ("properties.paid", TEXT, "paid: null was possible and is not any more"),
    ("$defs.Due.properties.on.format", "date-time", "dues[].on: format was 'date', now 'date-time'"),
    ("$defs.Due.required", ["on", "cents"], "dues[].cents: required now; what was published before lacks it"),
    ("properties.name.x-personal", None, "name: x-personal was True, now None"),
    ("properties.name.x-opened", {"type": "object"}, "name.(opened): its type was string, now object"),
    ("properties.more.additionalProperties", TEXT, "more.*: its type was integer, now string"),
    ("additionalProperties", False, "the value: other properties were allowed"),
    ("if", {"properties": {}}, "the value: if was None, now {'properties': {}}"),
]
BREAKING_FOR_READERS: list[tuple[str, Any, str]] = [
    ("required", ["id", "amount", "kind"], "paid: was required, readers rely on it"),
    ("properties.id", {"anyOf": [TEXT, {"type": "null"}]}, "id: null is possible now, readers do not know it"),
]
ADDITIONS: list[tuple[str, Any]] = [
    ("properties.note", {"type": "string", "default": ""}),
    ("properties.kind.enum", ["a", "b", "c"]),
    ("properties.amount.maximum", 200),
    ("properties.amount.minimum", None),
    ("properties.dues.maxItems", None),
    ("properties.rules.default", {"percent": 20, "minimum": 5}),
    ("$defs.Due.properties.cents", {"type": "integer", "default": 0}),
    ("description", "A fact, told better."),
    ("properties.id.title", "Id"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BREAKING_FOR_ALL)
@pytest.mark.parametrize("inbound", [True, False])
def test_breaking_for_all(path: str, value: Any, sentence: str, inbound: bool) -> None:
    assert sentence in breaking_changes(BASE, changed(path, value), inbound=inbound)


@pytest.mark.parametrize(("path", "value", "sentence"), BREAKING_FOR_READERS)
def test_breaking_only_for_those_who_read(path: str, value: Any, sentence: str) -> None:
    assert breaking_changes(BASE, changed(path, value), inbound=False) == [sentence]
    assert breaking_changes(BASE, changed(path, value), inbound=True) == []


@pytest.mark.parametrize(("path", "value"), ADDITIONS)
@pytest.mark.parametrize("inbound", [True, False])
def test_additions_break_nobody(path: str, value: Any, inbound: bool) -> None:
    assert breaking_changes(BASE, changed(path, value), inbound=inbound) == []


def test_the_same_schema_breaks_nothing() -> None:
    assert breaking_changes(BASE, BASE, inbound=True) == breaking_changes(BASE, BASE, inbound=False) == []


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value
