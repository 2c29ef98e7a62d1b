"""Nothing here is for search engines."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from gateway.routing import Pages
from gateway.visit import Visit

RULES = "User-agent: *\nDisallow: /\n"
CACHED = "public, max-age=86400"

pages = Pages("portal", "staff", "index")


@pages.get("/robots.txt", who="anybody")
async def robots(_: Visit) -> Response:
    return PlainTextResponse(RULES, headers={"Cache-Control": CACHED})
