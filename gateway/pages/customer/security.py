"""`/security`: another password, and who of the staff acted as whoever is signed in."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.cookies import SESSION
from gateway.pages.public.forms import at_field, secret
from gateway.routing import Pages
from gateway.visit import Visit

FORBIDDEN = 403

pages = Pages("portal")


@pages.get("/security")
async def security(visit: Visit) -> Response:
    return await _show(visit)


@pages.post("/security/password")
async def password(visit: Visit) -> Response:
    """All sessions end with the old password, this one too."""
    if visit.acting:
        return await _show(visit, FORBIDDEN)
    body = {
        "session": visit.session,
        "current_password": secret(visit.form, "current_password"),
        "password": secret(visit.form, "password"),
    }
    try:
        await visit.as_gateway.post("identity", "/passwords", body)
    except Refused as refused:
        return await _show(visit, refused.status, _explained(visit, refused))
    visit.api.forget(visit.session or "")
    visit.cookies.remove(SESSION)
    return visit.go("/sign-in?next=/security", said="security.password_done")


async def _show(visit: Visit, status: int = 200, refused: Refused | None = None) -> Response:
    found = await visit.together(acted=visit.get("identity", "/users/me/impersonations"))
    return visit.show("customer/security.html", status, refused=refused, acted=found.acted)


def _explained(visit: Visit, refused: Refused) -> Refused:
    """At its field. Identity does not tell more of a wrong password than at sign-in; here it is clear what it is."""
    if refused.code != "sign_in_refused":
        return at_field(refused, {"invalid_password": "password"})
    detail = visit.rendering.texts.say("security.current_wrong", visit.language)
    return Refused(refused.status, {"code": refused.code, "mistakes": [{"path": "current_password", "detail": detail}]})
