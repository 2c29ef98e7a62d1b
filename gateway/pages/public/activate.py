"""The link of the mail after registering: a button, since mail programs open links too."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import secret
from gateway.pages.public.links import look_up, refused_again
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal")


@pages.get("/activate/{token}", who="anybody")
async def activate(visit: Visit) -> Response:
    link = await look_up(visit, "/activations", ["activation"])
    if isinstance(link, Response):
        return link
    return visit.show("public/activate.html", needs_password=link["needs_password"])


@pages.post("/activate/{token}", who="anybody")
async def activated(visit: Visit) -> Response:
    password = secret(visit.form, "password")
    body = {"token": visit.path["token"], **({"password": password} if "password" in visit.form else {})}
    try:
        await visit.as_gateway.post("identity", "/activations", body)
    except Refused as refused:
        return refused_again(visit, refused, "public/activate.html", needs_password=True)
    return visit.go("/sign-in", said="activate.done")
