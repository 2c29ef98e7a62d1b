"""Pictures of the gateway's pages, in widths and schemes, and an index that shows them side by side."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from playwright.async_api import Error, FloatRect

from gateway.app import page_routes
from gateway.portals import Kind
from tests.gateway.browsers import Window

WIDTHS = {390: 844, 1280: 900}
DARK = {
    ("portal", "/"), ("portal", "/contracts/{contract_id}"), ("portal", "/sign-in"), ("portal", "/payments"),
    ("portal", "/journeys/{submission_id}/steps/{step}"), ("portal", "/journeys/{submission_id}/check"),
    ("staff", "/"), ("staff", "/users"), ("staff", "/contracts/{record_id}"), ("staff", "/definitions/journeys/{id}"),
}  # fmt: skip
NO_PAGES = {
    "/logo.svg", "/favicon.svg", "/robots.txt", "/imports/templates/{entity}", "/imports/{import_id}/refused",
    "/users/export", "/users/invitations/template", "/documents/{file_id}",
    "/submissions/{submission_id}/files/{file_id}",
    "/contracts/{contract_id}/instalment/preview", "/definitions", "/portals/{portal_id}",
    "/portals/{portal_id}/design/preview", "/templates/{portal_id}/{template}/preview", "/journeys/{submission_id}",
    "/j/{journey_id}/{submission_id}", "/embed/j/{journey_id}/{submission_id}",
    "/companies/{record_id}/relations/{relation}",
}  # fmt: skip
"""Files, parts of pages, addresses that lead elsewhere, and what no record of the demo has."""
WALKED = 90
LARGEST = 9_000
PHONE = 600
STYLE = """body{font:15px system-ui;margin:2rem;background:#f4f4f2;color:#222}h2{margin:2.5rem 0 .75rem;font-size:1rem}
h2 code{font-weight:400;color:#666}div{display:flex;flex-wrap:wrap;gap:1rem;align-items:start}
figure{margin:0;width:15rem}figcaption{font-size:.75rem;color:#555;overflow-wrap:anywhere}
img{width:100%;max-height:22rem;object-fit:cover;object-position:top;border:1px solid #ccc;background:#fff}"""


@dataclass(frozen=True)
class Picture:
    """A page as it looked: `route` is its address with names instead of ids, `state` what is special about it."""

    site: str
    route: str
    state: str
    look: str
    title: str
    file: str


def _routes() -> Mapping[Kind, list[tuple[str, re.Pattern[str]]]]:
    return {
        kind: [(page.path, pattern) for page, pattern in routes if page.method == "GET"]
        for kind, routes in page_routes().items()
    }


@dataclass
class Camera:
    """Takes the pictures and knows which routes have one."""

    folder: Path
    pictures: list[Picture] = field(default_factory=list)
    routes: Mapping[Kind, list[tuple[str, re.Pattern[str]]]] = field(default_factory=_routes)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def route_of(self, url: str) -> tuple[str, str] | None:
        """Site and route of an address; None for what is no page."""
        parts = urlsplit(url)
        site = (parts.hostname or "").partition(".")[0]
        kind: Kind = "staff" if site == "staff" else "index" if site == "localhost" else "portal"
        route = next((path for path, pattern in self.routes[kind] if pattern.fullmatch(parts.path or "/")), None)
        return (kind, route) if route and route not in NO_PAGES else None

    async def take(self, seen: Window, state: str, language: str) -> None:
        """The page that a window shows, in every width; a few also dark."""
        await seen.page.wait_for_load_state("networkidle")
        kind, route = self.route_of(seen.page.url) or ("portal", "nowhere")
        self.seen.add((kind, route))
        title = await seen.page.title()
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark") if (kind, route) in DARK and not state else ("light",):
                await seen.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                look = f"{language}-{width}{'-dark' if scheme == 'dark' else ''}"
                name = self._file("-".join((kind, _slug(route), _slug(state))).rstrip("-"), look)
                await self._picture(seen, name, width, height)
                self.pictures.append(Picture(kind, route, state, look, title, name))
            await seen.page.emulate_media(color_scheme="light")

    async def _picture(self, seen: Window, name: str, width: int, height: int) -> None:
        """All of the page; on a phone what sticks to the bottom of the window stands at the bottom of the picture."""
        await seen.page.set_viewport_size({"width": width, "height": height})
        tall = max(height, min(LARGEST, await seen.page.evaluate("document.documentElement.scrollHeight")))
        if width < PHONE:
            await seen.page.set_viewport_size({"width": width, "height": tall})
        clip = FloatRect(x=0, y=0, width=width, height=tall)
        await seen.page.screenshot(path=self.folder / name, full_page=True, clip=clip, animations="disabled")

    def _file(self, name: str, look: str) -> str:
        taken = {each.file for each in self.pictures}
        names = (f"{name}{f'-{count}' if count else ''}.{look}.png" for count in range(WALKED))
        return next(each for each in names if each not in taken)

    def missing(self) -> list[str]:
        """Routes without a picture."""
        wanted = {(kind, path) for kind, routes in self.routes.items() for path, _ in routes if path not in NO_PAGES}
        return [f"{kind} {path}" for kind, path in sorted(wanted - self.seen)]

    def write_index(self) -> Path:
        """Thumbnails by page; the whole picture is behind each."""
        pages: dict[tuple[str, str], list[Picture]] = defaultdict(list)
        for each in self.pictures:
            pages[each.site, each.route].append(each)
        rows = [
            f"<h2>{html.escape(site)} <code>{html.escape(route)}</code></h2><div>"
            + "".join(_figure(each) for each in sorted(found, key=lambda each: (each.state, each.look)))
            + "</div>"
            for (site, route), found in sorted(pages.items())
        ]
        index = self.folder / "index.html"
        body = f"<!doctype html><meta charset=utf-8><title>Gallery</title><style>{STYLE}</style>{''.join(rows)}"
        index.write_text(body, encoding="utf-8")
        return index


@dataclass(frozen=True, kw_only=True)
class Photographed(Window):
    """A window that takes a picture of every state whose accessibility a story would check."""

    camera: Camera
    language: str

    async def is_accessible(self) -> None:
        await self.take()

    async def take(self, state: str = "") -> None:
        await self.camera.take(self, state, self.language)

    async def shows(self, path: str, state: str = "") -> None:
        """Whatever is answered there."""
        await self.page.goto(urljoin(self.base, path))
        await self.take(state)

    async def speaks(self, language: str) -> Photographed:
        """The same window in a language."""
        url = f"https{self.base[4:]}" if self.base.startswith("http:") else self.base
        await self.page.context.add_cookies(
            [{"name": "__Host-language", "value": language, "url": url, "secure": True}]
        )
        return replace(self, language=language)

    async def walk(self, *first: str) -> None:
        """Every page of `first`, and then every page that links lead to, an example of each."""
        known: set[tuple[str, str]] = set()
        waiting = [urljoin(self.base, path) for path in first]
        for place, url in enumerate(waiting):
            route = self.camera.route_of(url)
            if urlsplit(url).netloc != urlsplit(self.base).netloc or route is None:
                continue
            if (place >= len(first) and route in known) or len(known) > WALKED:
                continue
            known.add(route)
            try:
                await self.shows(url)
            except Error as error:
                raise AssertionError(f"{url} cannot be shown") from error
            self.camera.seen.add(route)
            waiting += await self.page.eval_on_selector_all("a[href]:not([download])", "all => all.map(a => a.href)")

    async def first_link(self, start: str) -> str:
        """Where the first link of a table leads whose address begins so."""
        found = await self.page.locator(f'main tbody a[href^="{start}"]').first.get_attribute("href")
        assert found is not None
        return found


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or ("start" if words else "")


def _figure(each: Picture) -> str:
    words = html.escape(" · ".join(part for part in (each.look, each.state, each.title) if part))
    return (
        f'<figure><a href="{each.file}"><img loading=lazy src="{each.file}" alt=""></a>'
        f"<figcaption>{words}</figcaption></figure>"
    )
