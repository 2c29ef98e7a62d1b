"""For somebody who has signed in and cannot go on yet: what happens next."""

from __future__ import annotations

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal")


@pages.get("/waiting", who="session")
async def waiting(visit: Visit) -> Response:
    standing = visit.who.status if visit.who else "waiting"
    if standing == "ready":
        return visit.go("/")
    if standing == "identify":
        return visit.go("/identify")
    return visit.show("public/waiting.html", standing=standing)
