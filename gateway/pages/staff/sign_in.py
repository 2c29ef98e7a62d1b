"""Signing in and out on the staff's site."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.public import sign_in as portal
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")

pages.get("/sign-in", who="anybody")(portal.sign_in)
pages.post("/sign-out", who="anybody")(portal.sign_out)


@pages.post("/sign-in", who="anybody")
async def signed_in(visit: Visit) -> Response:
    known = await portal.checked(visit, "/staff/sessions")
    if isinstance(known, Response):
        return known
    return await portal.welcome(visit, known["session"], ready=True)
