"""For developers: where everything is. Anybody else finds nothing at a host that belongs to no portal."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Away
from gateway.portals import on_port_of
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("index")


@pages.get("/", who="anybody")
async def index(visit: Visit) -> Response:
    if not visit.development:
        return visit.not_found()
    try:
        found = await visit.portals.all()
    except Away as away:
        return visit.show("public/away.html", 503, away=away)
    portals = [(site.name, on_port_of(visit.request, site.url), site.audience, site.enabled) for site in found]
    settings = visit.api.settings
    return visit.show(
        "public/index.html",
        portals=portals,
        staff=on_port_of(visit.request, settings.staff_url),
        mailbox=settings.mailbox_url,
        apis=f"{settings.api_url}/docs",
    )
