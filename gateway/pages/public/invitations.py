"""The link of an invitation: whoever opens it chooses his password."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import secret
from gateway.pages.public.links import look_up, refused_again
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal")


@pages.get("/invitations/{token}", who="anybody")
async def invitation(visit: Visit) -> Response:
    link = await look_up(visit, "/activations", ["invitation"])
    return link if isinstance(link, Response) else visit.show("public/invitation.html")


@pages.post("/invitations/{token}", who="anybody")
async def accepted(visit: Visit) -> Response:
    body = {"token": visit.path["token"], "password": secret(visit.form, "password")}
    try:
        await visit.as_gateway.post("identity", "/activations", body)
    except Refused as refused:
        return refused_again(visit, refused, "public/invitation.html")
    return visit.go("/sign-in", said="invitation.done")
