"""The FastAPI app that every service starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from chassis.auth import TokenVerifier, trust
from chassis.http import problems
from chassis.http.boundary import Boundary, Limits
from chassis.http.commands import ANSWERED, PARAMETERS, command_request
from chassis.http.endpoints import Endpoints
from chassis.texts import Texts

OWN_TEXTS = Texts.load(Path(__file__).parent.parent / "texts.yaml")
OBSERVED_BY_THE_BOUNDARY = TelemetryConfig(tracing=False, metrics=False, logs=False)
PROBLEM = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


class App(FastAPI):
    """FastAPI behind the boundary, its endpoints run by plan."""

    def __init__(self, limits: Limits, **description: Any) -> None:
        self.limits = limits
        super().__init__(telemetry=OBSERVED_BY_THE_BOUNDARY, **description)

    def build_middleware_stack(self) -> ASGIApp:
        return Boundary(Endpoints(self, super().build_middleware_stack()), self.limits)


def create_app(
    name: str,
    texts: Texts,
    verifier: TokenVerifier,
    *,
    description: str = "",
    limits: Limits | None = None,
    version: str = "0.1.0",
) -> FastAPI:
    """An app that answers only with problem+json when it refuses, checks tokens, and describes itself completely."""
    app = App(
        limits or Limits(),
        title=f"Portico {name}",
        description=description,
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            "4XX": {"description": "Refused: `code` says why", **PROBLEM},
            "5XX": {"description": "Not possible now", **PROBLEM},
        },
    )
    setattr(app.state, problems.TEXTS, OWN_TEXTS | texts)
    trust(app, verifier)
    problems.install(app)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {**schema.pop("$defs", {}), "Problem": schema}
            _describe_commands(app, document)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _describe_commands(app: FastAPI, document: dict[str, Any]) -> None:
    """Adds the headers that command_request reads and `answer` writes."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None or not any(needed.call is command_request for needed in dependant.dependencies):
            continue
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                operation.setdefault("parameters", []).extend(PARAMETERS)
                for status, response in operation["responses"].items():
                    if status.startswith("2"):
                        response.setdefault("headers", {}).update(ANSWERED)
