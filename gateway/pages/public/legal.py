"""Imprint and privacy: the portal's own texts, or sensible words until it has some."""

from __future__ import annotations

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal", "staff", "index")


@pages.get("/imprint", who="anybody")
async def imprint(visit: Visit) -> Response:
    return visit.show("public/legal.html", title="imprint.title", body="imprint.body")


@pages.get("/privacy", who="anybody")
async def privacy(visit: Visit) -> Response:
    return visit.show("public/legal.html", title="privacy.title", body="privacy.body")
