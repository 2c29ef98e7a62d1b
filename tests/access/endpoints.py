"""Every endpoint of every service with the roles that it declares: read from the applications themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from chassis.auth import ROLES, Allow
from chassis.service_calls import CalledByService
from contracts.topics import SERVICES
from tests.described import app_of


@dataclass(frozen=True)
class Endpoint:
    """`roles` is empty where only our own services may call, and None where nothing is asked for."""

    service: str
    method: str
    path: str
    roles: frozenset[str] | None
    operation: dict[str, Any]
    components: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.service} {self.method} {self.path}"


def endpoints() -> list[Endpoint]:
    """All of them, in the order of the services."""
    return [endpoint for service in SERVICES for endpoint in _of_service(service)]


def _of_service(service: str) -> Iterator[Endpoint]:
    app = app_of(service)
    document = app.openapi()
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            continue
        for method in sorted(route.methods or ()):
            operation = document["paths"].get(route.path_format, {}).get(method.lower(), {})
            roles = _roles(dependant)
            yield Endpoint(service, method, route.path_format, roles, operation, document["components"])


def _roles(dependant: Dependant) -> frozenset[str] | None:
    """Who passes all the guards of an endpoint."""
    guards = list(_guards(dependant))
    if not guards:
        return None
    found = frozenset(ROLES)
    for guard in guards:
        found &= frozenset(guard.roles or ROLES) if isinstance(guard, Allow) else frozenset()
    return found


def _guards(dependant: Dependant) -> Iterator[Allow | CalledByService]:
    for needed in dependant.dependencies:
        if isinstance(needed.call, Allow | CalledByService):
            yield needed.call
        yield from _guards(needed)
