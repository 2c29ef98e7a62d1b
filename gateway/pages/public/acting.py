"""A member of staff acts as a user: the token comes from the staff's site in a sealed text, good for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import RedirectResponse, Response

from gateway.api import Away, Refused, SessionOver
from gateway.cookies import ACTING
from gateway.portals import on_port_of
from gateway.routing import Pages
from gateway.visit import ACTED_SECONDS, ACTING_SECONDS, Visit

HANDOVER_SECONDS = 30

pages = Pages("portal")


@pages.get("/acting/begin", who="anybody")
async def begin(visit: Visit) -> Response:
    found = _handed_over(visit, visit.query.get("handover"), HANDOVER_SECONDS)
    if found is None:
        return visit.show("public/acting_expired.html", 410, back=_staff(visit))
    return visit.show("public/acting_begin.html", acting=found, handover=visit.box.seal({"handover": found}))


@pages.post("/acting/begin", who="anybody")
async def begun(visit: Visit) -> Response:
    found = _handed_over(visit, visit.form["handover"], ACTING_SECONDS)
    if found is None:
        return visit.show("public/acting_expired.html", 410, back=_staff(visit))
    visit.cookies.put(ACTING, visit.box.seal(found), ACTED_SECONDS)
    return visit.go("/")


@pages.post("/acting/end", who="anybody")
async def ended(visit: Visit) -> Response:
    return await end(visit)


@pages.get("/acting/expired", who="anybody")
async def expired(visit: Visit) -> Response:
    acted = visit.acted
    visit.cookies.remove(ACTING)
    return visit.show("public/acting_expired.html", back=_staff(visit, acted))


async def end(visit: Visit) -> Response:
    """Back to the staff's page of the user. Identity is told; where it cannot be, the token ends by itself."""
    acted, is_acting = visit.acted, visit.acting is not None
    visit.cookies.remove(ACTING)
    if acted and is_acting:
        with suppress(Away, Refused, SessionOver):
            await visit.post("identity", f"/users/{acted['user_id']}/impersonations/{acted['impersonation_id']}/end")
    return RedirectResponse(_staff(visit, acted), 303)


def _handed_over(visit: Visit, text: str | None, seconds: int) -> Mapping[str, Any] | None:
    """What the staff's site sealed for this portal, unless its time is over."""
    sealed = visit.box.open(text, seconds)
    found: Mapping[str, Any] | None = sealed.get("handover") if isinstance(sealed, dict) else None
    if found is None or found["portal_id"] != visit.site.id or found["until"] <= time.time():
        return None
    return found


def _staff(visit: Visit, acted: Mapping[str, Any] | None = None) -> str:
    """Where the member of staff came from."""
    site = on_port_of(visit.request, visit.api.settings.staff_url)
    return f"{site}/users/{acted['user_id']}" if acted else site
