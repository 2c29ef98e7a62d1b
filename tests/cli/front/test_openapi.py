"""One description of all services: valid, complete, and nothing called the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from cli.front.openapi import merge
from contracts.topics import SERVICES
from tests.described import described


def service(schema: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    problem = {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/Mistake"}}}
    answer = {
        "200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Plan"}}}}
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "0.1.0"},
        "paths": {
            "/plans": {
                "get": {"operationId": "plans", "tags": ["plans"], "responses": answer, "security": [{"Token": []}]}
            },
            "/metrics": {"get": {"operationId": "metrics", "responses": answer}},
        },
        "components": {
            "schemas": {"Plan": schema, "Problem": problem, **others},
            "securitySchemes": {"Token": {"type": "http", "scheme": "bearer"}},
        },
    }


def test_equal_names_of_different_things_stay_apart() -> None:
    mistake = {"type": "string"}
    merged = merge(
        {"a": service({"type": "string"}, Mistake=mistake), "b": service({"type": "integer"}, Mistake=mistake)}
    )
    assert set(merged["components"]["schemas"]) == {"a.Plan", "b.Plan", "Problem", "Mistake"}
    assert set(merged["paths"]) == {"/api/a/plans", "/api/b/plans"}
    operation = merged["paths"]["/api/b/plans"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/b.Plan"}
    assert (operation["operationId"], operation["tags"], operation["security"]) == (
        "b_plans",
        ["b: plans"],
        [{"Token": []}],
    )
    validate(merged)


def test_what_refers_to_something_different_is_different() -> None:
    merged = merge({"a": service({}, Mistake={"type": "string"}), "b": service({}, Mistake={"type": "integer"})})
    assert set(merged["components"]["schemas"]) == {"Plan", "a.Mistake", "b.Mistake", "a.Problem", "b.Problem"}
    validate(merged)


def test_the_services_own_documents_stay_as_they_are() -> None:
    documents = {"a": service({"type": "string"}, Mistake={"type": "string"})}
    merge(documents)
    assert documents == {"a": service({"type": "string"}, Mistake={"type": "string"})}


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return {name: described(name) for name in SERVICES}


def test_all_services_are_described_as_one(documents: dict[str, Any]) -> None:
    merged = merge(documents)
    validate(merged)
    operations = [operation for item in merged["paths"].values() for operation in item.values()]
    count = sum(
        len(item) for document in documents.values() for path, item in document["paths"].items() if path != "/metrics"
    )
    assert len(operations) == count
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert {tag for operation in operations for tag in operation["tags"]} <= {tag["name"] for tag in merged["tags"]}
    known = {f"#/components/{section}/{name}" for section, named in merged["components"].items() for name in named}
    assert set(references(merged)) <= known
    assert "Problem" in merged["components"]["schemas"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)
