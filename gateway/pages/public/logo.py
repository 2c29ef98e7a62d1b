"""The portal's logo, and its sign for browser tabs. A logo comes from staff: it may neither run nor load anything."""

from __future__ import annotations

import re

from markupsafe import escape
from starlette.responses import Response

from gateway.assets import FOR_EVER
from gateway.routing import Pages
from gateway.visit import Visit

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
BRIEFLY = "public, max-age=300"
SQUARE = 1.25
VIEW_BOX = re.compile(r'viewBox="[\d.\-]+[ ,]+[\d.\-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"')
SIGN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="{colour}"/>'
    '<text x="16" y="23" text-anchor="middle" font-family="system-ui, sans-serif" font-size="20" font-weight="700" '
    'fill="{on}">{letter}</text></svg>'
)

pages = Pages("portal")


@pages.get("/logo.svg", who="anybody")
async def logo(visit: Visit) -> Response:
    return _picture(visit.site.logo, _caching(visit)) if visit.site.logo else visit.not_found()


@pages.get("/favicon.svg", who="anybody")
async def favicon(visit: Visit) -> Response:
    """The logo where it is about as wide as high, else the first letter of the portal's name in its colours."""
    if visit.site.logo and _is_square(visit.site.logo):
        return _picture(visit.site.logo, _caching(visit))
    brand, name = visit.site.brand, visit.site.name["de"]
    return _picture(SIGN.format(colour=brand["colour"], on=brand["on"], letter=escape(name[:1].upper())), BRIEFLY)


def _caching(visit: Visit) -> str:
    """The address of a logo changes with it."""
    return FOR_EVER if visit.query.get("v") == visit.site.logo_version else BRIEFLY


def _picture(drawing: str, caching: str) -> Response:
    headers = {"Cache-Control": caching, "Content-Security-Policy": POLICY}
    return Response(drawing, media_type="image/svg+xml", headers=headers)


def _is_square(drawing: str) -> bool:
    found = VIEW_BOX.search(drawing)
    if found is None or not float(found[1]) or not float(found[2]):
        return False
    ratio = float(found[1]) / float(found[2])
    return 1 / SQUARE <= ratio <= SQUARE
