"""The FastAPI app that every service starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from chassis.auth import TokenVerifier, trust
from chassis.http import problems
from chassis.http.boundary import Boundary, Limits
from chassis.texts import Texts

OWN_TEXTS = Texts.load(Path(__file__).parent.parent / "texts.yaml")
PROBLEM = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


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
    app = FastAPI(
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
    app.add_middleware(Boundary, limits=limits or Limits())
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["Problem"] = schema
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
