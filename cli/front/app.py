"""The web application of the one address: the services, their common description, and a page to browse it offline."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from cli.front.openapi import merge
from cli.front.problems import problem
from cli.front.proxy import Proxy

PAGES = Path(__file__).with_name("pages")
ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css")
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def application(addresses: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """`addresses` by service. `transport` is given by tests."""
    proxy = Proxy(addresses, transport)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with proxy.client:
            yield

    async def service(request: Request) -> Response:
        name = request.path_params["service"]
        if name not in proxy.addresses:
            return problem(request, 404, "no_such_service", services=list(proxy.addresses))
        return await proxy.pass_on(request, name, _raw_path(request, name))

    async def described(request: Request) -> Response:
        documents = await asyncio.gather(*(_description(proxy, name) for name in proxy.addresses))
        found = {name: document for name, document in zip(proxy.addresses, documents, strict=True) if document}
        if not found:
            return problem(request, 503, "unavailable", retry=True)
        return Response(
            orjson.dumps(merge(found)), media_type="application/json", headers={"Cache-Control": "no-cache"}
        )

    routes = [
        Route("/", _to_docs),
        Route("/api", _to_docs),
        Route("/api/docs", _docs),
        Route("/api/docs/{name}", _asset),
        Route("/api/openapi.json", described),
        Route("/health/ready", _ready),
        Route("/api/{service}/{path:path}", service, methods=ALL_METHODS),
        Route("/{path:path}", _nothing, methods=ALL_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _raw_path(request: Request, service: str) -> bytes:
    """What comes behind /api/<service>, still encoded as the caller wrote it."""
    raw: bytes = request.scope["raw_path"]
    return b"/" + raw.split(b"?")[0].removeprefix(b"/api/" + service.encode() + b"/").lstrip(b"/")


async def _description(proxy: Proxy, service: str) -> Any:
    """The service's OpenAPI document; None when it does not answer now, so that the others are described."""
    try:
        answer = await proxy.client.get(proxy.addresses[service].copy_with(path="/openapi.json"), timeout=10)
        return answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None


async def _to_docs(_: Request) -> Response:
    return RedirectResponse("/api/docs", 307)


async def _docs(_: Request) -> Response:
    return FileResponse(PAGES / "docs.html", headers={"Content-Security-Policy": DOCS_POLICY})


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name in ASSETS:
        return FileResponse(_swagger_ui() / name, headers={"Cache-Control": "max-age=3600"})
    if name == "docs.js":
        return FileResponse(PAGES / "docs.js", headers={"Cache-Control": "no-cache"})
    return problem(request, 404, "not_found")


def _swagger_ui() -> Path:
    """Where the package that ships Swagger UI keeps it; found without importing the package, which needs more."""
    found = importlib.util.find_spec("fastapi_offline")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("fastapi_offline")
    return Path(found.submodule_search_locations[0]) / "static"


async def _ready(_: Request) -> Response:
    return Response(b'{"ready":true}', media_type="application/json")


async def _nothing(request: Request) -> Response:
    return problem(request, 404, "not_found")
