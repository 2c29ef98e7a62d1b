"""`/users/{id}/acting`: begin to act as a portal user, for a reason. The token goes to his portal in a sealed text."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from gateway.api import Refused
from gateway.pages.public.forms import at_field, missing
from gateway.portals import Site, on_port_of
from gateway.routing import Pages
from gateway.visit import Visit

pages = Pages("staff")


@pages.get("/users/{user_id}/acting")
async def acting(visit: Visit) -> Response:
    return await _show(visit)


@pages.post("/users/{user_id}/acting")
async def begun(visit: Visit) -> Response:
    if refused := missing(visit, {"reason": "acting.reason_missing"}):
        return await _show(visit, refused)
    user_id = visit.path["user_id"]
    user, site = await _user(visit)
    try:
        begun = await visit.post("identity", f"/users/{user_id}/impersonations", {"reason": visit.form["reason"]})
    except Refused as refused:
        return await _show(visit, at_field(refused, {"invalid_request": "reason"}))
    handover = {
        "access_token": begun["access_token"],
        "until": time.time() + begun["expires_in"],
        "impersonation_id": begun["impersonation_id"],
        "status": "ready",
        "user_id": user_id,
        "subject": f"user/{user_id}",
        "role": site.audience,
        "portal_id": site.id,
        "contact_id": user["contact_id"],
        "language": user["language"],
        "name": _name(user),
        "user_name": _name(user),
        "actor": visit.who.subject if visit.who else None,
        "staff_name": (visit.who.name or visit.who.subject) if visit.who else None,
    }
    sealed = quote(visit.box.seal({"handover": handover}))
    return RedirectResponse(f"{on_port_of(visit.request, site.url)}/acting/begin?handover={sealed}", 303)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    user, site = await _user(visit)
    context = {"user": user, "name": _name(user), "portal": site.name, "refused": refused}
    return visit.show("staff/acting.html", refused.status if refused else 200, **context)


async def _user(visit: Visit) -> tuple[dict[str, Any], Site]:
    """The user of the address, and his portal. Raises Refused (404)."""
    user: dict[str, Any] = await visit.get("identity", f"/users/{visit.path['user_id']}")
    for site in await visit.portals.all():
        if site.id == user["portal_id"]:
            return user, site
    raise Refused(404, {"code": "portal_not_found"})


def _name(user: dict[str, Any]) -> str:
    return str(user["contact_name"] or user["name"] or user["email"] or user["user_id"])
