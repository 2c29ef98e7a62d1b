"""Signing in and out on a portal. What somebody had sent when his session ended is offered to him again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.api import Refused
from gateway.cookies import DAY_SECONDS, POSITION, SESSION
from gateway.pages.public.acting import end
from gateway.pages.public.forms import secret
from gateway.routing import Pages
from gateway.visit import Visit, own_path

KEPT_SECONDS = 2 * 3600
OUTSIDE = ("blocked", "expired")

pages = Pages("portal")


@pages.get("/sign-in", who="anybody")
async def sign_in(visit: Visit) -> Response:
    if visit.who is not None:
        return visit.go(visit.query.get("next", "/"))
    return visit.show("public/sign_in.html", next=visit.query.get("next", ""), kept="")


@pages.post("/sign-in", who="anybody")
async def signed_in(visit: Visit) -> Response:
    known = await checked(visit, f"/portals/{visit.site.id}/sessions")
    if isinstance(known, Response):
        return known
    if known["status"] in OUTSIDE:
        return visit.show("public/waiting.html", 403, standing=known["status"])
    return await welcome(visit, known["session"], ready=known["status"] == "ready")


@pages.post("/sign-out", who="anybody")
async def sign_out(visit: Visit) -> Response:
    if visit.acting:
        return await end(visit)
    await leave(visit)
    return visit.go("/sign-in", said="sign_out.done")


async def checked(visit: Visit, path: str) -> Mapping[str, Any] | Response:
    """Identity's answer to address and password, or the page that says they are not right."""
    given = {"email": visit.form["email"], "password": secret(visit.form, "password")}
    try:
        known: Mapping[str, Any] = await visit.as_gateway.post("identity", path, given)
    except Refused as refused:
        return visit.show(
            "public/sign_in.html",
            refused.status,
            refused=refused,
            next=visit.form["next"],
            kept=visit.form["kept"],
        )
    return known


async def welcome(visit: Visit, session: str, *, ready: bool) -> Response:
    """Keeps the session, and leads to where somebody wanted to go, or to what he had sent."""
    visit.cookies.put(SESSION, session, DAY_SECONDS)
    before = own_path(visit.form["next"] or "/")
    kept = visit.box.open(visit.form["kept"], KEPT_SECONDS) if ready else None
    if kept is None:
        return visit.go(before)
    return visit.show("public/kept.html", path=own_path(kept["path"]), sent=kept["sent"], next=before)


async def leave(visit: Visit) -> None:
    """Ends the session, at identity too."""
    session = visit.session
    visit.cookies.remove(SESSION)
    visit.cookies.remove(POSITION)
    visit.who = None
    if session:
        visit.api.forget(session)
        await visit.as_gateway.post("identity", "/sessions/end", {"session": session})
