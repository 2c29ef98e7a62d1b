"""The gateway as an application: the only place where things are wired."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, compile_path

from gateway import pages as all_pages
from gateway.api import Api, Away
from gateway.boxes import Box
from gateway.cookies import Cookies
from gateway.headers import policy, protect
from gateway.portals import INDEX, Kind, Portals, Site, on_port_of
from gateway.rendering import Rendering
from gateway.routing import Page, collect, is_closed, serve
from gateway.settings import GatewaySettings
from gateway.visit import Shown, Visit

SMALLEST_COMPRESSED = 600
PART = re.compile(r"[\w.~-]{1,300}", re.ASCII)
"""A part of an address that is a name or an id, so that it is one as well in the address of an API."""
LARGEST_BODY = 60 * 2**20
log = structlog.get_logger()
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def create(settings: GatewaySettings, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The application. `transport` is given by tests."""
    gateway = Gateway(settings, transport)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with gateway.api.client:
            yield

    return Starlette(
        routes=[
            Route("/health/ready", _ready),
            Route("/assets/{version}/{name}", gateway.asset),
            Route("/{path:path}", gateway.page, methods=["GET", "HEAD", "POST"]),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=SMALLEST_COMPRESSED)],
        lifespan=lifespan,
    )


class Gateway:
    """What lives as long as the process."""

    def __init__(self, settings: GatewaySettings, transport: httpx.AsyncBaseTransport | None) -> None:
        self.settings = settings
        self.api = Api(settings, transport)
        self.box = Box(settings.gateway_key_bytes)
        self.portals = Portals(self.api, settings.staff_url)
        self.rendering = Rendering(settings.development)
        self.routes = page_routes()

    async def asset(self, request: Request) -> Response:
        response = self.rendering.assets.respond(request.path_params["version"], request.path_params["name"])
        protect(response, LOGO_POLICY, secure=_is_secure(request), framed=True)
        return response

    async def page(self, request: Request) -> Response:
        """The page of the site that the host name stands for, at the address."""
        length = request.headers.get("content-length", "" if request.method == "POST" else "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return PlainTextResponse("", 413 if length.isdecimal() else 411)
        try:
            site, away = await self.portals.find(request.headers.get("host", "")), None
        except Away as nobody_answers:
            site, away = INDEX, nobody_answers
        page = self._find(site, request) if away is None else None
        embedded = page is not None and page.embedded
        visit = self._visit(request, site, embedded)
        if away is not None:
            response = _drawn(visit.show("public/away.html", 503, away=away))
        else:
            response = await self._answer(page, visit)
        visit.cookies.write(response)
        framers = tuple(site.look.get("embed", ())) if embedded else ()
        content_policy = policy(visit.nonce, frame_ancestors=framers, form_targets=await self._targets(site, request))
        protect(response, content_policy, secure=_is_secure(request), framed=embedded)
        return response

    async def _answer(self, page: Page | None, visit: Visit) -> Response:
        try:
            return _drawn(await (serve(page, visit) if page else _nothing(visit)))
        except Exception:  # whatever it is: the log has it all, and the visitor a page instead of a blank one
            log.exception("a page failed", site=visit.site.id, path=visit.request.url.path)
            return _drawn(visit.show("public/away.html", 500, away=Away()))

    def _visit(self, request: Request, site: Site, embedded: bool) -> Visit:
        return Visit(
            request=request,
            site=site,
            api=self.api,
            box=self.box,
            rendering=self.rendering,
            cookies=Cookies(request, embedded=embedded),
            portals=self.portals,
        )

    def _find(self, site: Site, request: Request) -> Page | None:
        """The page of an address; its parts are put where the request has them."""
        method = "GET" if request.method == "HEAD" else request.method
        for page, pattern in self.routes[site.kind]:
            if page.method == method and (found := pattern.fullmatch(request.scope["path"])):
                parts = request.scope["path_params"] = found.groupdict()
                return page if all(map(PART.fullmatch, parts.values())) else None
        return None

    async def _targets(self, site: Site, request: Request) -> list[str]:
        """Where forms of a site may lead to: staff go to a portal to act as a user, and come back."""
        if site.kind == "staff":
            try:
                return sorted({on_port_of(request, each.url) for each in await self.portals.all()})
            except Away:
                return []
        return [on_port_of(request, self.settings.staff_url)] if site.kind == "portal" else []


def page_routes() -> dict[Kind, list[tuple[Page, re.Pattern[str]]]]:
    """Every page of every module, with what its address looks like."""
    names = [found.name for found in pkgutil.walk_packages(all_pages.__path__, f"{all_pages.__name__}.")]
    found = collect(importlib.import_module(name) for name in names)
    routes: dict[Kind, list[tuple[Page, re.Pattern[str]]]] = {"portal": [], "staff": [], "index": []}
    for page in found:
        routes[page.site].append((page, compile_path(page.path)[0]))
    return routes


def _drawn(response: Response) -> Response:
    if isinstance(response, Shown):
        response.draw()
    return response


async def _nothing(visit: Visit) -> Response:
    if is_closed(visit):
        return visit.show("public/closed.html", 503)
    try:
        await visit.recognise()
    except Away:
        visit.who = None
    return visit.not_found()


async def _ready(_: Request) -> Response:
    return JSONResponse({"ready": True})


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
