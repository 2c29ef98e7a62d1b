"""How an address becomes a page: routes, who may come, forms that are ours, and a page for whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import Away, Refused, SessionOver
from gateway.counts import count
from gateway.portals import Kind
from gateway.visit import Form, Visit

Who = Literal["user", "session", "anybody"]
Handler = Callable[[Visit], Awaitable[Response]]
MOST_FIELDS = 2_000
MOST_FILES = 20
LARGEST_FIELD = 1024 * 1024
LARGEST_KEPT = 32 * 1024
PROOF, PRESS, KEPT = "proof", "press", "kept"
UNSAFE = "POST"
ACTING_OVER = "/acting/expired"
ALWAYS_OPEN = frozenset({"/imprint", "/privacy", "/language", "/logo.svg", "/favicon.svg", "/robots.txt"})
"""Pages of a portal that is switched off."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Page:
    """A route. `embedded`: it may be shown in a frame by the origins that the portal names."""

    site: Kind
    method: Literal["GET", "POST"]
    path: str
    who: Who
    embedded: bool
    handler: Handler


class Pages:
    """The routes of one module; app.py collects the `pages` of every module below gateway/pages."""

    def __init__(self, *sites: Kind) -> None:
        self.sites = sites
        self.routes: list[Page] = []

    def get(self, path: str, who: Who = "user", *, embedded: bool = False) -> Callable[[Handler], Handler]:
        return self._add("GET", path, who, embedded)

    def post(self, path: str, who: Who = "user", *, embedded: bool = False) -> Callable[[Handler], Handler]:
        return self._add("POST", path, who, embedded)

    def _add(self, method: Literal["GET", "POST"], path: str, who: Who, embedded: bool) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            self.routes += [Page(site, method, path, who, embedded, handler) for site in self.sites]
            return handler

        return add


async def serve(page: Page, visit: Visit) -> Response:
    """Runs a page for a visit and answers every refusal that it lets pass."""
    try:
        if is_closed(visit) and page.path not in ALWAYS_OPEN:
            return visit.show("public/closed.html", 503)
        await visit.recognise()
        if page.method == UNSAFE and not await _is_ours(visit):
            return visit.show("public/forged.html", 403)
        return await _turned_away(page, visit) or await _run(page, visit)
    except SessionOver:
        if visit.session and not visit.acted:
            visit.api.forget(visit.session)
        return visit.go(ACTING_OVER) if visit.acted else await sign_in_first(visit)
    except Away as away:
        log.warning("a page could not be made", path=visit.request.url.path, service=away.service)
        return visit.show("public/away.html", 503, away=away)
    except Refused as refused:
        if refused.status == 404:
            return visit.not_found()
        return visit.show("public/refused.html", refused.status, refused=refused)


async def _run(page: Page, visit: Visit) -> Response:
    """Runs the page; beside it is asked what the navigation counts, and anew after something was changed."""
    visit.counts = visit.api.counts.get(visit.signed_in_by) or {}
    if page.method == UNSAFE:
        try:
            return await page.handler(visit)
        finally:
            visit.api.counts.forget(visit.signed_in_by)
    if page.who != "user":
        return await page.handler(visit)
    response, visit.counts = await asyncio.gather(page.handler(visit), count(visit))
    return response


async def _turned_away(page: Page, visit: Visit) -> Response | None:
    """Where somebody is led who may not see the page yet; None for those who may."""
    if page.who == "anybody":
        return None
    if visit.acted and not visit.acting:
        return visit.go(ACTING_OVER)
    if visit.who is None:
        return await sign_in_first(visit)
    if page.who == "user" and not visit.who.ready:
        return visit.go("/identify" if visit.who.status == "identify" else "/waiting")
    return None


def is_closed(visit: Visit) -> bool:
    """Whether the portal is switched off."""
    return visit.site.kind == "portal" and not visit.site.enabled


async def sign_in_first(visit: Visit) -> Response:
    """The sign-in page; what was sent is kept, sealed, and offered again afterwards."""
    if visit.request.method != UNSAFE:
        return visit.go(f"/sign-in?next={quote(visit.here, safe='/')}" if visit.here != "/" else "/sign-in")
    sent = [(name, value) for name, value in visit.form.texts() if name not in {PROOF, PRESS, KEPT}]
    kept = ""
    if sum(len(name) + len(value) for name, value in sent) <= LARGEST_KEPT:
        kept = visit.box.seal({"path": visit.here, "sent": sent})
    return visit.show("public/sign_in.html", 401, next=_before(visit), kept=kept)


async def read_form(request: Request) -> Form:
    """The form of a request. Raises HTTPException 400 for what is too large, or no form."""
    return Form(await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=LARGEST_FIELD))


async def _is_ours(visit: Visit) -> bool:
    """Whether the form was made by one of our pages, for this visitor."""
    try:
        visit.form = await read_form(visit.request)
    except HTTPException:
        return False
    origin = visit.request.headers.get("origin")
    if origin not in {None, "null"} and urlsplit(origin or "").netloc != visit.request.headers.get("host"):
        return False
    if visit.request.headers.get("sec-fetch-site") == "cross-site":
        return False
    return visit.box.proves(visit.form.get(PROOF), visit.cookies.visitor())


def _before(visit: Visit) -> str:
    """Where a form was shown: the page that it came from, if it is one of this site."""
    came_from = urlsplit(visit.request.headers.get("referer", ""))
    return came_from.path if came_from.netloc == visit.request.headers.get("host") else "/"


def collect(modules: Iterable[object]) -> list[Page]:
    return [page for module in modules for page in getattr(module, "pages", Pages()).routes]
