"""The link to a new password: of a portal user by mail, of a member of staff from an operator."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import secret
from gateway.pages.public.links import look_up, refused_again
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("portal", "staff")


@pages.get("/reset/{token}", who="anybody")
async def reset(visit: Visit) -> Response:
    kind = "staff_password" if visit.site.kind == "staff" else "reset"
    link = await look_up(visit, "/passwords", [kind])
    return link if isinstance(link, Response) else visit.show("public/reset.html")


@pages.post("/reset/{token}", who="anybody")
async def changed(visit: Visit) -> Response:
    body = {"token": visit.path["token"], "password": secret(visit.form, "password")}
    try:
        await visit.as_gateway.post("identity", "/passwords", body)
    except Refused as refused:
        return refused_again(visit, refused, "public/reset.html")
    return visit.go("/sign-in", said="reset.done")
