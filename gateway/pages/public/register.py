"""Creating an account. Whether an address is known already is told to nobody but the owner of its mailbox."""

from __future__ import annotations

from starlette.responses import Response

from gateway.api import Refused
from gateway.cookies import LANGUAGE
from gateway.pages.public.check_inbox import look_for
from gateway.pages.public.forms import at_field, missing, secret
from gateway.pages.public.language import YEAR_SECONDS
from gateway.routing import Pages
from gateway.visit import Visit

FIELDS = {"invalid_email": "email", "invalid_password": "password"}
ASKED = {
    "already_customer": "register.choice_missing",
    "name": "register.name_missing",
    "email": "register.email_missing",
    "password": "register.password_missing",
}

pages = Pages("portal")


@pages.get("/register", who="anybody")
async def register(visit: Visit) -> Response:
    if visit.who is not None:
        return visit.go("/")
    return visit.show("public/register.html")


@pages.post("/register", who="anybody")
async def registered(visit: Visit) -> Response:
    form = visit.form
    language = "en" if form["language"] == "en" else "de"
    asked = {
        "email": form["email"],
        "password": secret(form, "password"),
        "name": form["name"],
        "language": language,
        "already_customer": form["already_customer"] == "yes",
    }
    try:
        if refused := missing(visit, ASKED):
            raise refused
        await visit.as_gateway.post("identity", f"/portals/{visit.site.id}/registrations", asked)
    except Refused as refused:
        return visit.show(
            "public/register.html", refused.status, refused=_with_password(visit, at_field(refused, FIELDS))
        )
    visit.cookies.put(LANGUAGE, language, YEAR_SECONDS)
    return look_for(visit, "activation", form["email"])


def _with_password(visit: Visit, refused: Refused) -> Refused:
    """The same mistakes, and that a password is to be entered once more: pages never give one back."""
    if not refused.mistakes or "password" in refused.mistakes:
        return refused
    listed = [{"path": path, "detail": said} for path, said in refused.mistakes.items()]
    again = {"path": "password", "detail": visit.rendering.texts.say("register.password_again", visit.language)}
    return Refused(refused.status, {**refused.facts, "mistakes": [*listed, again]})
