"""A forgotten password: the link to a new one comes by mail, if there is somebody with that address."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.check_inbox import ask, look_for
from gateway.pages.public.forms import at_field
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal")


@pages.get("/forgot", who="anybody")
async def forgot(visit: Visit) -> Response:
    return visit.show("public/forgot.html")


@pages.post("/forgot", who="anybody")
async def asked(visit: Visit) -> Response:
    try:
        await ask(visit, "reset", visit.form["email"])
    except Refused as refused:
        found = at_field(refused, {"invalid_email": "email"})
        return visit.show("public/forgot.html", refused.status, refused=found)
    return look_for(visit, "reset", visit.form["email"])
