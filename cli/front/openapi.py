"""One OpenAPI document out of those of all services: paths below /api/<service>, nothing called the same twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
COMPONENT = "#/components/"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Component = tuple[str, str]
"""Its section and name, e.g. ("schemas", "Problem")."""


def merge(documents: Mapping[str, Document], hidden: str = "/metrics") -> dict[str, Any]:
    """The document of all services. A component that is the same wherever it occurs is there once, under its name;
    any other is called <service>.<name>."""
    shared = _shared(documents)
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for service, document in documents.items():
        for section, named in document.get("components", {}).items():
            for name, component in named.items():
                renamed = _renamed(service, (section, name), shared)
                components.setdefault(section, {})[renamed] = _rewritten(component, service, shared)
        for path, item in document["paths"].items():
            if path != hidden:
                paths[f"/api/{service}{path}"] = _item(_rewritten(item, service, shared), service, shared)
        told = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
        used = [
            tag for item in document["paths"].values() for each in _operations(item) for tag in each.get("tags", ())
        ]
        tags |= {f"{service}: {tag}": told.get(tag, "") for tag in dict.fromkeys([*told, *used])}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Portico",
            "version": max((document["info"]["version"] for document in documents.values()), default="0"),
            "description": "All services at one address. Tokens, positions and errors: docs/portal-gateway.md.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": told} for name, told in tags.items()],
        "paths": paths,
        "components": components,
    }


def _shared(documents: Mapping[str, Document]) -> set[Component]:
    """Components that mean the same in every service that has them, down to what they refer to."""
    kinds: dict[Component, set[str]] = {}
    refers: dict[Component, set[Component]] = {}
    for document in documents.values():
        for section, named in document.get("components", {}).items():
            for name, component in named.items():
                kinds.setdefault((section, name), set()).add(json.dumps(component, sort_keys=True))
                refers.setdefault((section, name), set()).update(_references(component))
    shared = {component for component, found in kinds.items() if len(found) == 1}
    while differing := {component for component in shared if not refers[component] <= shared}:
        shared -= differing
    owners = {one: sum(one[1] in d.get("components", {}).get(one[0], {}) for d in documents.values()) for one in shared}
    return {component for component in shared if owners[component] > 1 or component[0] == "securitySchemes"}


def _references(part: Any) -> Iterator[Component]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str) and value.startswith(COMPONENT):
                section, _, name = value.removeprefix(COMPONENT).partition("/")
                yield section, name
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)


def _rewritten(part: Any, service: str, shared: set[Component]) -> Any:
    """A part of a document whose references lead to the merged components."""
    if isinstance(part, dict):
        return {key: _rewritten(value, service, shared) for key, value in part.items()}
    if isinstance(part, list):
        return [_rewritten(each, service, shared) for each in part]
    if isinstance(part, str) and part.startswith(COMPONENT):
        section, _, name = part.removeprefix(COMPONENT).partition("/")
        return f"{COMPONENT}{section}/{_renamed(service, (section, name), shared)}"
    return part


def _renamed(service: str, component: Component, shared: set[Component]) -> str:
    return component[1] if component in shared else f"{service}.{component[1]}"


def _item(item: dict[str, Any], service: str, shared: set[Component]) -> dict[str, Any]:
    for operation in _operations(item):
        operation["tags"] = [f"{service}: {tag}" for tag in operation.get("tags", ())] or [service]
        if "operationId" in operation:
            operation["operationId"] = f"{service}_{operation['operationId']}"
        if "security" in operation:
            operation["security"] = [
                {_renamed(service, ("securitySchemes", name), shared): scopes for name, scopes in way.items()}
                for way in operation["security"]
            ]
    return item


def _operations(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [item[method] for method in METHODS if method in item]
